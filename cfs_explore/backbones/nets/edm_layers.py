"""Layers of the DDPM++, NCSN++ and ADM networks in EDM's parameter naming (Karras et al. 2022, table 8)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional


def group_norm(channels: int, eps: float) -> nn.GroupNorm:
    """Up to 32 groups of at least 4 channels."""
    return nn.GroupNorm(min(32, channels // 4), channels, eps)


def positional_frequencies(count: int, device: torch.device, *, endpoint: bool) -> torch.Tensor:
    """``count`` geometric frequencies from 1 down to 1/10000, with or without that end."""
    exponents = torch.arange(count, dtype=torch.float32, device=device) / (count - endpoint)
    return (1 / 10000) ** exponents


def separable_filter(taps: Sequence[float]) -> torch.Tensor:
    """The 2D low-pass filter (1, 1, K, K) of sum 1 with these taps along each axis."""
    line = torch.tensor([float(tap) for tap in taps])
    return (torch.outer(line, line) / line.sum() ** 2)[None, None]


class Resample(nn.Module):
    """Halve or double the resolution (``direction`` down or up) with a low-pass filter, channel by channel."""

    def __init__(self, direction: str, taps: Sequence[float]):
        super().__init__()
        self.direction = direction
        self.register_buffer("resample_filter", separable_filter(taps))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return resample(x, self.resample_filter, self.direction)


def resample(x: torch.Tensor, kernel: torch.Tensor, direction: str, padding: int | None = None) -> torch.Tensor:
    """Filter (B, C, H, W) with ``kernel`` (1, 1, K, K), keeping every second pixel, or putting zeros between."""
    channels, size = x.shape[1], kernel.shape[-1]
    padding = (size - 1) // 2 if padding is None else padding
    if direction == "down":
        return functional.conv2d(x, kernel.expand(channels, -1, -1, -1), stride=2, padding=padding, groups=channels)
    return functional.conv_transpose2d(
        x, (4 * kernel).expand(channels, -1, -1, -1), stride=2, padding=padding, groups=channels
    )


class ResampledConv(nn.Conv2d):
    """Resample, then convolve. ``fused``: convolve first, with the filter's padding, and go down after it."""

    def __init__(self, cin: int, cout: int, kernel: int, direction: str, taps: Sequence[float], *, fused: bool = False):
        super().__init__(cin, cout, kernel, padding=kernel // 2 + fused * ((len(taps) - 1) // 2))
        self.direction, self.fused = direction, fused
        self.register_buffer("resample_filter", separable_filter(taps))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.fused:
            return resample(super().forward(x), self.resample_filter, self.direction, padding=0)
        return super().forward(resample(x, self.resample_filter, self.direction))


def conv(cin: int, cout: int, kernel: int, direction: str | None = None, taps: Sequence[float] = ()) -> nn.Module:
    """A convolution that keeps the resolution, or resamples first; ``kernel`` 0 only resamples."""
    if not kernel:
        return Resample(direction, taps)
    if direction:
        return ResampledConv(cin, cout, kernel, direction, taps)
    return nn.Conv2d(cin, cout, kernel, padding=kernel // 2)


class UNetBlock(nn.Module):
    """Residual block, conditioned on the level through an affine map, with resampling and self-attention where wanted.

    Args:
        cin, cout, emb: channels of input, output and embedding.
        direction: "up", "down" or None.
        heads: of the self-attention; 0 for none.
        skip_scale: factor of each residual sum.
        eps: of the normalisations.
        taps: of the resampling filter.
        project: the skip of a resampling block has a 1x1 convolution even where the channels stay.
        adaptive: the embedding scales and shifts after the second normalisation, rather than shifting before it.
        dropout: probability, in training.
    """

    def __init__(
        self,
        cin: int,
        cout: int,
        emb: int,
        *,
        direction: str | None = None,
        heads: int = 0,
        skip_scale: float = 1.0,
        eps: float = 1e-5,
        taps: Sequence[float] = (1, 1),
        project: bool = False,
        adaptive: bool = True,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.heads, self.skip_scale, self.adaptive, self.dropout = heads, skip_scale, adaptive, dropout
        self.norm0 = group_norm(cin, eps)
        self.conv0 = conv(cin, cout, 3, direction, taps)
        self.affine = nn.Linear(emb, 2 * cout if adaptive else cout)
        self.norm1 = group_norm(cout, eps)
        self.conv1 = conv(cout, cout, 3)
        self.skip = None
        if cin != cout or direction:
            self.skip = conv(cin, cout, 1 if project or cin != cout else 0, direction, taps)
        if heads:
            self.norm2 = group_norm(cout, eps)
            self.qkv = conv(cout, 3 * cout, 1)
            self.proj = conv(cout, cout, 1)

    def forward(self, x: torch.Tensor, emb: torch.Tensor) -> torch.Tensor:
        h = self.conv0(functional.silu(self.norm0(x), inplace=True))
        level = self.affine(emb)[:, :, None, None]
        if self.adaptive:
            scale, shift = level.chunk(2, dim=1)
            h = torch.addcmul(shift, self.norm1(h), scale + 1)
        else:
            h = self.norm1(h + level)
        h = self.conv1(functional.dropout(functional.silu(h, inplace=True), self.dropout, self.training))
        h = self._scaled(h + (x if self.skip is None else self.skip(x)))
        return self._scaled(h + self.proj(self._attend(self.norm2(h)))) if self.heads else h

    def _scaled(self, x: torch.Tensor) -> torch.Tensor:
        return x if self.skip_scale == 1 else x.mul_(self.skip_scale)

    def _attend(self, x: torch.Tensor) -> torch.Tensor:
        """Self-attention over pixels; a head's query, key and value channels are interleaved."""
        batch, channels, height, width = x.shape
        qkv = self.qkv(x).view(batch, self.heads, channels // self.heads, 3, height * width)
        q, k, v = (part.transpose(-1, -2) for part in qkv.unbind(3))  # (image, head, pixel, channel)
        out = functional.scaled_dot_product_attention(q, k, v)
        return out.transpose(-1, -2).reshape(x.shape)


def residual_mean(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The sum of two independent parts at the variance of one."""
    return (x + y) / math.sqrt(2.0)
