"""The UNet of iDDPM (Nichol and Dhariwal 2021) and ADM (Dhariwal and Nichol 2021), under its parameter names."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

_GROUPS = 32


@dataclass(frozen=True)
class Architecture:
    """What decides the network.

    Attributes:
        in_channels, out_channels: of images, and of the output with its learned variances, if any.
        num_channels: width of the time embedding's input.
        level_channels: width at each resolution, finest first.
        num_res_blocks: residual blocks per resolution of the encoder; the decoder has one more.
        attention_levels: positions in ``level_channels`` whose blocks attend; the middle always does.
        num_classes: None for an unconditional network.
        use_scale_shift_norm: the embedding scales and shifts the second norm, instead of being added before it.
        resblock_updown: resolutions change inside residual blocks.
        conv_resample: otherwise, they change by a convolution instead of pooling and repetition alone.
        num_heads, num_heads_upsample: attention heads, and those of the decoder.
        num_head_channels: width of a head, instead of their number.
        use_new_attention_order: all queries, keys and values in turn, instead of those of each head.
    """

    in_channels: int
    out_channels: int
    num_channels: int
    level_channels: tuple[int, ...]
    num_res_blocks: int
    attention_levels: tuple[int, ...]
    num_classes: int | None
    use_scale_shift_norm: bool
    resblock_updown: bool
    conv_resample: bool
    num_heads: int | None = None
    num_heads_upsample: int | None = None
    num_head_channels: int | None = None
    use_new_attention_order: bool = False

    def heads(self, channels: int, *, upsampling: bool = False) -> int:
        """Attention heads of a block of this width."""
        if self.num_head_channels is not None:
            return channels // self.num_head_channels
        return self.num_heads_upsample if upsampling and self.num_heads_upsample is not None else self.num_heads


class OpenAIUNet(nn.Module):
    """Predicts the noise of x_t, and its variances where those are learned."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.architecture = architecture
        width = 4 * architecture.num_channels
        self.time_embed = nn.Sequential(nn.Linear(architecture.num_channels, width), nn.SiLU(), nn.Linear(width, width))
        if architecture.num_classes is not None:
            self.label_emb = nn.Embedding(architecture.num_classes, width)
        levels = architecture.level_channels
        self.input_blocks, skips = _encoder(architecture, width)
        self.middle_block = Stage(
            ResBlock(architecture, levels[-1], levels[-1], width),
            AttentionBlock(architecture, levels[-1], architecture.heads(levels[-1])),
            ResBlock(architecture, levels[-1], levels[-1], width),
        )
        self.output_blocks = _decoder(architecture, width, skips)
        self.out = nn.Sequential(
            nn.GroupNorm(_GROUPS, levels[0]),
            nn.SiLU(),
            nn.Conv2d(levels[0], architecture.out_channels, 3, padding=1),
        )

    def forward(self, x: torch.Tensor, t: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
        """x (B, C, H, W), timesteps (B,), which may be fractions, and classes (B,) -> (B, out_channels, H, W)."""
        emb = self.time_embed(timestep_embedding(t, self.architecture.num_channels))
        if self.architecture.num_classes is not None:
            emb = emb + self.label_emb(y)
        emb = functional.silu(emb)  # every residual block begins with it
        skips = []
        for stage in self.input_blocks:
            x = stage(x, emb)
            skips.append(x)
        x = self.middle_block(x, emb)
        for stage in self.output_blocks:
            x = stage(torch.cat([x, skips.pop()], dim=1), emb)
        return self.out(x)


def timestep_embedding(t: torch.Tensor, width: int) -> torch.Tensor:
    """(B,) -> (B, width): cosines, then sines, of t at frequencies from 1 to 1 / 10000; zero in an odd last place."""
    half = width // 2
    frequencies = torch.exp(-math.log(10000.0) / half * torch.arange(half, dtype=torch.float32, device=t.device))
    angles = t.float()[:, None] * frequencies
    return functional.pad(torch.cat([angles.cos(), angles.sin()], dim=1), (0, width % 2))


class Stage(nn.Sequential):
    """Modules in sequence, of which the residual blocks take the embedding."""

    def forward(self, x: torch.Tensor, emb: torch.Tensor) -> torch.Tensor:
        for module in self:
            x = module(x, emb) if isinstance(module, ResBlock) else module(x)
        return x


class ResBlock(nn.Module):
    """Two convolutions around the embedding, with a shortcut; may change the resolution before the first.

    Args:
        architecture: decides how the embedding enters.
        channels, out_channels: before and after.
        width: of the embedding.
        change: of the resolution: 2 doubles it, 0.5 halves it.
    """

    def __init__(self, architecture: Architecture, channels: int, out_channels: int, width: int, change: float = 1):
        super().__init__()
        self.change = change
        self.scales = architecture.use_scale_shift_norm
        self.in_layers = nn.Sequential(
            nn.GroupNorm(_GROUPS, channels), nn.SiLU(), nn.Conv2d(channels, out_channels, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(width, (2 if self.scales else 1) * out_channels))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(_GROUPS, out_channels),
            nn.SiLU(),
            nn.Identity(),  # dropout's place, so that the convolution is number 3
            nn.Conv2d(out_channels, out_channels, 3, padding=1),
        )
        same = channels == out_channels
        self.skip_connection = nn.Identity() if same else nn.Conv2d(channels, out_channels, 1)

    def forward(self, x: torch.Tensor, emb: torch.Tensor) -> torch.Tensor:
        """x (B, C, H, W) and the embedding after SiLU (B, width)."""
        norm, _, conv = self.in_layers
        h = functional.silu(norm(x), inplace=True)
        if self.change != 1:
            h, x = (resample(value, self.change) for value in (h, x))
        h = conv(h)
        emb = self.emb_layers[1](emb)[:, :, None, None]
        norm, _, _, conv = self.out_layers
        if self.scales:
            scale, shift = emb.chunk(2, dim=1)
            h = torch.addcmul(shift, norm(h), 1 + scale)
        else:
            h = norm(h + emb)
        return self.skip_connection(x) + conv(functional.silu(h, inplace=True))


class AttentionBlock(nn.Module):
    """Self-attention over all positions, added to its input."""

    def __init__(self, architecture: Architecture, channels: int, heads: int):
        super().__init__()
        self.heads = heads
        self.new_order = architecture.use_new_attention_order
        self.norm = nn.GroupNorm(_GROUPS, channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        tokens = self.norm(x).flatten(2).transpose(1, 2)  # (image, position, channel)
        qkv = functional.linear(tokens, self.qkv.weight.squeeze(2), self.qkv.bias)
        if self.new_order:
            q, k, v = qkv.unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        else:
            q, k, v = qkv.unflatten(2, (self.heads, 3, -1)).permute(3, 0, 2, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        out = functional.linear(mixed, self.proj_out.weight.squeeze(2), self.proj_out.bias)
        return x + out.transpose(1, 2).reshape(x.shape)


class Downsample(nn.Module):
    """Half the resolution, by a convolution with stride, or by averaging."""

    def __init__(self, channels: int, learned: bool):
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1) if learned else nn.AvgPool2d(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.op(x)


class Upsample(nn.Module):
    """Double the resolution, by repetition, followed by a convolution if learned."""

    def __init__(self, channels: int, learned: bool):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1) if learned else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(resample(x, 2))


def resample(x: torch.Tensor, change: float) -> torch.Tensor:
    """Repeat every position (2), or average 2 x 2 of them (0.5)."""
    return functional.interpolate(x, scale_factor=2, mode="nearest") if change == 2 else functional.avg_pool2d(x, 2)


def _encoder(architecture: Architecture, width: int) -> tuple[nn.ModuleList, list[int]]:
    """The input blocks, and the channels that each hands to the decoder."""
    levels = architecture.level_channels
    channels = levels[0]
    blocks, skips = [Stage(nn.Conv2d(architecture.in_channels, channels, 3, padding=1))], [channels]
    for level, out_channels in enumerate(levels):
        for _ in range(architecture.num_res_blocks):
            stage = [ResBlock(architecture, channels, out_channels, width)]
            if level in architecture.attention_levels:
                stage.append(AttentionBlock(architecture, out_channels, architecture.heads(out_channels)))
            blocks.append(Stage(*stage))
            channels = out_channels
            skips.append(channels)
        if level < len(levels) - 1:
            blocks.append(Stage(*_change(architecture, channels, width, 0.5)))
            skips.append(channels)
    return nn.ModuleList(blocks), skips


def _decoder(architecture: Architecture, width: int, skips: Iterable[int]) -> nn.ModuleList:
    levels, skips = architecture.level_channels, list(skips)
    channels, blocks = levels[-1], []
    for level, out_channels in reversed(list(enumerate(levels))):
        for i in range(architecture.num_res_blocks + 1):
            stage = [ResBlock(architecture, channels + skips.pop(), out_channels, width)]
            if level in architecture.attention_levels:
                heads = architecture.heads(out_channels, upsampling=True)
                stage.append(AttentionBlock(architecture, out_channels, heads))
            if level > 0 and i == architecture.num_res_blocks:
                stage += _change(architecture, out_channels, width, 2)
            blocks.append(Stage(*stage))
            channels = out_channels
    return nn.ModuleList(blocks)


def _change(architecture: Architecture, channels: int, width: int, change: float) -> list[nn.Module]:
    """What halves (0.5) or doubles (2) the resolution."""
    if architecture.resblock_updown:
        return [ResBlock(architecture, channels, channels, width, change)]
    return [(Upsample if change == 2 else Downsample)(channels, architecture.conv_resample)]
