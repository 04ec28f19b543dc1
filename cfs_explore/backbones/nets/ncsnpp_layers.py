"""Layers of NCSN++, DDPM++ and DDPM in the parameter naming of Score-SDE (Song et al. 2021, appendix H)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate, pad, scaled_dot_product_attention, silu

from cfs_explore.backbones.nets.edm_layers import positional_frequencies, resample, residual_mean, separable_filter

#: Standard deviation of the random Fourier frequencies before training (``fourier_scale``).
FOURIER_SCALE = 16.0


def halve(x: torch.Tensor, fir: bool) -> torch.Tensor:
    """Half the resolution: filtered with 1 3 3 1, or the mean of 2 x 2 pixels."""
    return resample(x, _filter(x), "down") if fir else avg_pool2d(x, 2)


def double(x: torch.Tensor, fir: bool) -> torch.Tensor:
    """Twice the resolution: filtered with 1 3 3 1, or every pixel repeated."""
    return resample(x, _filter(x), "up") if fir else interpolate(x, scale_factor=2.0, mode="nearest")


def _filter(x: torch.Tensor) -> torch.Tensor:
    return separable_filter((1, 3, 3, 1)).to(x.device)


def positional(t: torch.Tensor, channels: int) -> torch.Tensor:
    """Sines, then cosines, of fixed geometric frequencies: (B,) -> (B, channels)."""
    phase = torch.outer(t.float(), positional_frequencies(channels // 2, t.device, endpoint=True))
    return torch.cat([phase.sin(), phase.cos()], dim=1)


class GaussianFourierProjection(nn.Module):
    """Sines, then cosines, of random frequencies that are part of the checkpoint: (B,) -> (B, 2 nf)."""

    def __init__(self, nf: int):
        super().__init__()
        self.W = nn.Parameter(torch.randn(nf) * FOURIER_SCALE, requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        phase = torch.outer(x, self.W) * (2 * math.pi)
        return torch.cat([phase.sin(), phase.cos()], dim=1)


class NIN(nn.Module):
    """A linear map of the channels, its matrix stored (in, out)."""

    def __init__(self, cin: int, cout: int):
        super().__init__()
        self.W = nn.Parameter(torch.randn(cin, cout) / math.sqrt(cin))
        self.b = nn.Parameter(torch.randn(cout) / math.sqrt(cin))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return conv2d(x, self.W.t()[:, :, None, None], self.b)


@dataclass(frozen=True)
class Style:
    """What the blocks of a network share.

    Attributes:
        emb: channels of the embedding.
        biggan: resampling inside residual blocks, and shortcuts as convolutions.
        fir: resample with the filter.
        rescale: residual sums are divided by sqrt(2).
        groups: of every normalisation; None for up to 32 of at least 4 channels.
    """

    emb: int
    biggan: bool
    fir: bool
    rescale: bool
    groups: int | None

    def norm(self, channels: int) -> nn.GroupNorm:
        return nn.GroupNorm(self.groups or min(channels // 4, 32), channels, 1e-6)

    def add(self, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        return residual_mean(x, h) if self.rescale else x + h


class ResnetBlock(nn.Module):
    """Residual block that is conditioned on the level, and may double ("up") or halve ("down") the resolution."""

    def __init__(self, style: Style, cin: int, cout: int, direction: str | None = None):
        super().__init__()
        self.style, self.direction = style, direction
        self.GroupNorm_0 = style.norm(cin)
        self.Conv_0 = nn.Conv2d(cin, cout, 3, padding=1)
        self.Dense_0 = nn.Linear(style.emb, cout)
        self.GroupNorm_1 = style.norm(cout)
        self.Conv_1 = nn.Conv2d(cout, cout, 3, padding=1)
        self.Conv_2 = nn.Conv2d(cin, cout, 1) if style.biggan and (cin != cout or direction) else None
        self.NIN_0 = NIN(cin, cout) if not style.biggan and cin != cout else None

    def forward(self, x: torch.Tensor, emb: torch.Tensor) -> torch.Tensor:
        h = silu(self.GroupNorm_0(x), inplace=True)
        if self.direction is not None:
            move = halve if self.direction == "down" else double
            h, x = move(h, self.style.fir), move(x, self.style.fir)
        h = self.Conv_0(h) + self.Dense_0(emb)[:, :, None, None]
        h = self.Conv_1(silu(self.GroupNorm_1(h), inplace=True))
        shortcut = self.Conv_2 or self.NIN_0
        return self.style.add(x if shortcut is None else shortcut(x), h)


class AttnBlock(nn.Module):
    """Self-attention over pixels with one head."""

    def __init__(self, style: Style, channels: int):
        super().__init__()
        self.style = style
        self.GroupNorm_0 = style.norm(channels)
        self.NIN_0, self.NIN_1, self.NIN_2, self.NIN_3 = (NIN(channels, channels) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.GroupNorm_0(x)
        q, k, v = (m(h).flatten(2).transpose(1, 2)[:, None] for m in (self.NIN_0, self.NIN_1, self.NIN_2))
        h = scaled_dot_product_attention(q, k, v)  # (image, head, pixel, channel)
        return self.style.add(x, self.NIN_3(h[:, 0].transpose(1, 2).reshape(x.shape)))


class Downsample(nn.Module):
    """Halve the resolution in a convolution, padded at the far edges only."""

    def __init__(self, cin: int, cout: int):
        super().__init__()
        self.Conv_0 = nn.Conv2d(cin, cout, 3, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.Conv_0(pad(x, (0, 1, 0, 1)))


class FilteredDownsample(nn.Module):
    """Filter, then halve the resolution in a convolution; zeros are put around the image once."""

    def __init__(self, cin: int, cout: int):
        super().__init__()
        self.Conv2d_0 = nn.Conv2d(cin, cout, 3, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        channels = x.shape[1]
        return self.Conv2d_0(conv2d(x, _filter(x).expand(channels, -1, -1, -1), padding=2, groups=channels))


class Upsample(nn.Module):
    """Repeat every pixel, then convolve."""

    def __init__(self, channels: int):
        super().__init__()
        self.Conv_0 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.Conv_0(double(x, fir=False))


class Combine(nn.Module):
    """Add an image to features of its resolution."""

    def __init__(self, cin: int, cout: int):
        super().__init__()
        self.Conv = nn.Conv2d(cin, cout, 1)

    def forward(self, image: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        return h + self.Conv(image)
