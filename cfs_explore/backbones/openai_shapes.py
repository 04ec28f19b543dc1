"""An iDDPM or ADM network's architecture, from its parameter names and shapes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cfs_explore.backbones.nets.openai_unet import Architecture
from cfs_explore.errors import BackboneError

Shapes = Mapping[str, tuple[int, ...]]

_PARTS = ("input_blocks.", "middle_block.", "output_blocks.")
_MEMBER = re.compile(r"(input|output)_blocks\.(\d+)\.(\d+)\.(.+)")

#: Vectors and matrices of a residual block whose first axis is its width.
_WIDTH_OF_BLOCK = ("in_layers.2.weight", "in_layers.2.bias", "out_layers.3.weight", "out_layers.3.bias")


def is_openai_unet(shapes: Shapes) -> bool:
    """Whether these are the parameters of such a network, intact or not."""
    attends = any(name.startswith("middle_block.1.qkv.") for name in shapes)
    return attends and all(any(name.startswith(part) for name in shapes) for part in _PARTS)


def changes_inside_blocks(shapes: Shapes) -> bool:
    """Whether resolutions change inside residual blocks (``resblock_updown``), which only ADM has."""
    return any(place > 0 and rest.startswith("in_layers.") for _, place, rest in _members(shapes, "output"))


def read_architecture(shapes: Shapes, source: Path) -> Architecture:
    """The network without its attention heads, which leave no trace in the weights.

    A parameter that is missing is replaced by a likely value here, and is an error when the weights are loaded.

    Raises:
        BackboneError: for a network of something else than images, or whose blocks do not form levels.
    """
    stages = 1 + max(block for block, _, _ in _members(shapes, "input"))
    period = _blocks_per_level(shapes, stages)
    if stages % period:
        raise BackboneError(
            f"{source} has {stages} input blocks, which do not form levels of {period}: it is a changed network, or "
            "lost part of its weights."
        )
    firsts = [f"input_blocks.{1 + level * period}" for level in range(stages // period)]
    levels = [_first(shapes, [f"{first}.0.{name}" for name in _WIDTH_OF_BLOCK], source) for first in firsts]
    width = _embedding_width(shapes, source)
    in_channels = _axis(shapes, "input_blocks.0.0.weight", 1, 3, source)
    out_channels = _axis(shapes, "out.2.weight", 0, _axis(shapes, "out.2.bias", 0, in_channels, source), source)
    _check_image_channels(in_channels, out_channels, source)
    updown = changes_inside_blocks(shapes)
    repeats = any(place > 0 and rest.startswith("conv.") for _, place, rest in _members(shapes, "output"))
    return Architecture(
        in_channels=in_channels,
        out_channels=out_channels,
        num_channels=_axis(shapes, "time_embed.0.weight", 1, width // 4, source),
        level_channels=tuple(levels),
        num_res_blocks=period - 1,
        attention_levels=tuple(i for i, first in enumerate(firsts) if f"{first}.1.qkv.weight" in shapes),
        num_classes=_axis(shapes, "label_emb.weight", 0, None, source),
        use_scale_shift_norm=_axis(shapes, f"{firsts[0]}.0.emb_layers.1.weight", 0, 2 * levels[0], source)
        == 2 * levels[0],
        resblock_updown=updown,
        conv_resample=updown or repeats or len(levels) == 1,
    )


def _members(shapes: Shapes, section: str) -> list[tuple[int, int, str]]:
    """(block, place in it, rest of the name) of the encoder's (``input``) or decoder's (``output``) parameters."""
    matches = (_MEMBER.fullmatch(name) for name in shapes)
    return [(int(m[2]), int(m[3]), m[4]) for m in matches if m and m[1] == section]


def _blocks_per_level(shapes: Shapes, stages: int) -> int:
    """Input blocks from one change of resolution to the next; the decoder repeats with the same period."""
    changes = [
        block
        for block, place, rest in _members(shapes, "output")
        if place > 0 and rest.startswith(("in_layers.", "conv."))
    ]
    if changes:
        return min(changes) + 1
    present = {block for block, _, _ in _members(shapes, "input")}
    return min(set(range(1, stages)) - present, default=stages)  # pooling has no weights: its number is left out


def _check_image_channels(in_channels: int, out_channels: int, source: Path) -> None:
    if in_channels == 6 and out_channels in (3, 6):
        raise BackboneError(
            f"{source} is a super-resolution network (upsampler): it takes 6 channels, a noisy image and a smaller "
            "one. Only networks of images alone can be explored; give one of the base models."
        )
    if out_channels not in (in_channels, 2 * in_channels):
        raise BackboneError(
            f"{source} takes {in_channels} channels and gives {out_channels}; a network that predicts noise gives "
            f"{in_channels}, or {2 * in_channels} with learned variances."
        )


def _embedding_width(shapes: Shapes, source: Path) -> int:
    """Width of the time embedding, or of what a residual block takes of it."""
    width = _axis(shapes, "input_blocks.1.0.emb_layers.1.weight", 1, None, source)
    if width is not None:
        return width
    return _first(shapes, ["time_embed.2.weight", "time_embed.2.bias", "time_embed.0.weight"], source)


def _first(shapes: Shapes, names: list[str], source: Path) -> int:
    """First axis of the first parameter that is there."""
    for name in names:
        if name in shapes:
            return _axis(shapes, name, 0, None, source)
    raise BackboneError(
        f"{source} does not fit the network: {len(names)} missing: {', '.join(names)}. It is a changed network, or "
        "lost part of its weights."
    )


def _axis(shapes: Shapes, name: str, axis: int, default: Any, source: Path) -> Any:
    """Length of an axis of a parameter; the default where it is not there.

    Raises:
        BackboneError: it has fewer axes, or none of some length.
    """
    shape = shapes.get(name)
    if shape is None:
        return default
    if len(shape) <= axis or not shape[axis]:
        raise BackboneError(
            f"{source} does not fit the network: {name} has the shape {shape}. It is a changed network, or damaged."
        )
    return shape[axis]
