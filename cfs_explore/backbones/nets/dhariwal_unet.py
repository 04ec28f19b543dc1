"""The ADM network (Dhariwal and Nichol 2021) in the parameter naming of EDM's ``DhariwalUNet``."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from cfs_explore.backbones.nets.edm_layers import UNetBlock, conv, group_norm, positional_frequencies

#: Channels of an attention head; fewer channels than this have no attention.
HEAD_CHANNELS = 64


class DhariwalUNet(nn.Module):
    """U-Net of ADM with adaptive group normalisation and multi-head attention; arguments as in ``SongUNet``."""

    def __init__(
        self,
        img_resolution: int,
        in_channels: int,
        out_channels: int,
        label_dim: int = 0,
        augment_dim: int = 0,
        model_channels: int = 192,
        channel_mult: Sequence[int] = (1, 2, 3, 4),
        channel_mult_emb: int = 4,
        num_blocks: int = 3,
        attn_resolutions: Sequence[int] = (32, 16, 8),
        dropout: float = 0.10,
        label_dropout: float = 0.0,
    ):
        super().__init__()
        emb = model_channels * channel_mult_emb
        self.model_channels = model_channels
        self.map_augment = nn.Linear(augment_dim, model_channels, bias=False) if augment_dim else None
        self.map_layer0 = nn.Linear(model_channels, emb)
        self.map_layer1 = nn.Linear(emb, emb)
        self.map_label = nn.Linear(label_dim, emb, bias=False) if label_dim else None

        def block(cin: int, cout: int, direction: str | None = None, attention: bool = False) -> UNetBlock:
            heads = cout // HEAD_CHANNELS if attention else 0
            return UNetBlock(cin, cout, emb, direction=direction, heads=heads, dropout=dropout)

        widths = [model_channels * mult for mult in channel_mult]
        sides = [img_resolution >> level for level in range(len(widths))]

        self.enc = nn.ModuleDict({f"{sides[0]}x{sides[0]}_conv": conv(in_channels, widths[0], 3)})
        width, skips = widths[0], [widths[0]]
        for level, (side, wider) in enumerate(zip(sides, widths, strict=True)):
            if level:
                self.enc[f"{side}x{side}_down"] = block(width, width, "down")
                skips.append(width)
            for index in range(num_blocks):
                self.enc[f"{side}x{side}_block{index}"] = block(width, wider, attention=side in attn_resolutions)
                width = wider
                skips.append(width)

        self.dec = nn.ModuleDict()
        for level, (side, wider) in reversed(list(enumerate(zip(sides, widths, strict=True)))):
            if level == len(sides) - 1:
                self.dec[f"{side}x{side}_in0"] = block(width, width, attention=True)
                self.dec[f"{side}x{side}_in1"] = block(width, width)
            else:
                self.dec[f"{side}x{side}_up"] = block(width, width, "up")
            for index in range(num_blocks + 1):
                attention = side in attn_resolutions
                self.dec[f"{side}x{side}_block{index}"] = block(width + skips.pop(), wider, attention=attention)
                width = wider
        self.out_norm = group_norm(width, 1e-5)
        self.out_conv = conv(width, out_channels, 3)

    def forward(self, x: torch.Tensor, noise: torch.Tensor, class_labels: torch.Tensor | None = None) -> torch.Tensor:
        """Args: x (B, C, H, W); noise (B,), what the embedding takes; class_labels (B or 1, label_dim), one-hot."""
        phase = torch.outer(noise, positional_frequencies(self.model_channels // 2, noise.device, endpoint=False))
        emb = torch.cat([phase.cos(), phase.sin()], dim=1)
        emb = self.map_layer1(functional.silu(self.map_layer0(emb)))
        if self.map_label is not None:
            emb = emb + self.map_label(class_labels)
        emb = functional.silu(emb)
        skips = []
        for layer in self.enc.values():
            x = layer(x, emb) if isinstance(layer, UNetBlock) else layer(x)
            skips.append(x)
        for name, layer in self.dec.items():
            x = layer(torch.cat([x, skips.pop()], dim=1) if "_block" in name else x, emb)
        return self.out_conv(functional.silu(self.out_norm(x)))
