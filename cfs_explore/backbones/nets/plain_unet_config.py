"""What a ``UNet2DModel``'s ``config.json`` says of its network, as far as ``plain_unet`` knows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pydantic.dataclasses

#: Classes of blocks -> whether they attend.
DOWN = {"DownBlock2D": False, "AttnDownBlock2D": True}
UP = {"UpBlock2D": False, "AttnUpBlock2D": True}


@pydantic.dataclasses.dataclass(frozen=True, config=pydantic.ConfigDict(strict=True))
class Architecture:
    """The arguments of ``UNet2DModel`` that this network knows, under their names there and with their defaults.

    Attributes:
        sample_size: side of the images, or (height, width).
        in_channels, out_channels: of the images, and of the output.
        center_input_sample: images in [0, 1] are brought to [-1, 1] first.
        time_embedding_dim: width of the embedding; None is four times the first block's.
        freq_shift, flip_sin_to_cos: of the embedding's frequencies, and cosines before sines.
        down_block_types, up_block_types: whether a block attends, by its class's name.
        block_out_channels: width at each resolution, finest first.
        layers_per_block: residual blocks per resolution of the encoder; the decoder has one more.
        downsample_padding: 1 on every side, or 0: one at the right and below.
        attention_head_dim: width of a head; None is one head.
        norm_num_groups, norm_eps: of the group norms.
        add_attention: the middle attends.
        num_class_embeds: classes; None for an unconditional network.
    """

    sample_size: int | tuple[int, int] | None = None
    in_channels: int = 3
    out_channels: int = 3
    center_input_sample: bool = False
    time_embedding_dim: int | None = None
    freq_shift: int = 0
    flip_sin_to_cos: bool = True
    down_block_types: tuple[str, ...] = ("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D")
    up_block_types: tuple[str, ...] = ("AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D")
    block_out_channels: tuple[int, ...] = (224, 448, 672, 896)
    layers_per_block: int = 2
    downsample_padding: int = 1
    attention_head_dim: int | None = 8
    norm_num_groups: int = 32
    norm_eps: float = 1e-5
    add_attention: bool = True
    num_class_embeds: int | None = None

    @property
    def width(self) -> int:
        """Of the embedding of time and class."""
        return self.time_embedding_dim or 4 * self.block_out_channels[0]


#: Options that this network knows in one value alone; the dropout of a frozen network is none.
_FIXED = {
    "time_embedding_type": ("positional",),
    "mid_block_type": ("UNetMidBlock2D",),
    "mid_block_scale_factor": (1,),
    "downsample_type": ("conv",),
    "upsample_type": ("conv",),
    "act_fn": ("silu", "swish"),
    "attn_norm_num_groups": (None,),
    "resnet_time_scale_shift": ("default",),
    "class_embed_type": (None,),
    "num_train_timesteps": (None,),
}
_IGNORED = ("dropout",)


def read_architecture(config: Mapping[str, Any]) -> Architecture | None:
    """The architecture of a ``UNet2DModel``'s ``config.json``; None where an option is not known here."""
    given = {name: value for name, value in config.items() if not name.startswith("_") and name not in _IGNORED}
    if any(value not in _FIXED[name] for name, value in given.items() if name in _FIXED):
        return None
    own = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items() if name not in _FIXED}
    if set(own) - {field.name for field in fields(Architecture)}:
        return None
    try:
        kind = Architecture(**own)
    except pydantic.ValidationError:
        return None
    supported = set(kind.down_block_types) <= set(DOWN) and set(kind.up_block_types) <= set(UP)
    levels = {len(kind.down_block_types), len(kind.up_block_types), len(kind.block_out_channels)}
    return kind if supported and len(levels) == 1 and isinstance(kind.norm_num_groups, int) else None
