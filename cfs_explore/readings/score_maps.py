"""Where in a tap's map its slot score comes from (theory 22, 23): read in the forward that gives the snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate

from cfs_explore.backbones.base import Backbone
from cfs_explore.contracts import PARTS, VARIANCE_FLOOR, Cost, Level, Tap
from cfs_explore.readings.protocol import Batch
from cfs_explore.scoring import Moments, feature_columns
from cfs_explore.taps.capture import capture
from cfs_explore.taps.pooling import positions


class ScoreMaps:
    """A_p and B_p of chosen taps at every position; a forward serves all of them and stops after the last.

    The taps' own maps are gone when their hook is left: what stays is two numbers per position.

    Args:
        levels: where images are corrupted.
        taps: which sites to read.
        moments: of ID-train's snapshots, at these levels and of these taps, in both orders.
        sides: tap -> height and width of its map, from ``tap_maps.map_sides``.
    """

    name = "score_maps"
    unit = "tap"

    def __init__(
        self, levels: Sequence[Level], taps: Sequence[Tap], moments: Moments, sides: Mapping[str, tuple[int, int]]
    ):
        self.levels, self.taps = tuple(levels), tuple(taps)
        self.columns, start = {}, 0
        for tap in self.taps:
            height, width = sides[tap.name]
            for part in PARTS:
                self.columns[f"{part} {tap.name}"] = slice(start, start + height * width)
                start += height * width
        self.cost = Cost(forwards=1, jvps=0, effective=max((tap.depth for tap in self.taps), default=0.0))
        self._row = {level: k for k, level in enumerate(self.levels)}
        self._mean, self._variance = (torch.from_numpy(part) for part in (moments.mean, moments.variance))
        self._features = feature_columns(self.taps)

    def read(self, backbone: Backbone, batch: Batch) -> torch.Tensor:
        """float32 (B, width)."""
        rows = torch.tensor([self._row[level] for level in batch.levels])

        def parts(name: str, output: Any) -> torch.Tensor:
            values = positions(backbone.activation(name, output))
            mean, variance = (of[rows, self._features[name]] for of in (self._mean, self._variance))
            return score_parts(values, mean, variance).flatten(1)

        names = [tap.name for tap in self.taps]
        with capture(backbone.module, names, parts, reduce=_as_it_is) as found:
            backbone.forward(batch.x, batch.conditioning)
        return torch.cat([found[name] for name in names], dim=1)


def score_parts(values: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
    """A_p and B_p: both are sums over channels of a number, a multiple of h - m, and one of (h - m)^2.

    In float32 whatever the network computes in: autocast would round the products to bf16.

    Args:
        values: h, activations (B, C, P).
        mean, variance: mu and v, ID-train's moments of the snapshots, float64 (B or 1, 2C).

    Returns:
        float32 (B, 2, P): ``PARTS``.
    """
    centred, constant, linear, square = _expanded(values, mean, variance)
    with torch.autocast(values.device.type, enabled=False):
        sums = linear.float() @ centred + square.float() @ centred.square_()
    return sums + constant.sum(dim=2, keepdim=True).float()


def channel_parts(values: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor, position: int) -> torch.Tensor:
    """What each channel adds to A_p and B_p at one position, arguments as of ``score_parts``: float64 (B, 2, C)."""
    centred, constant, linear, square = _expanded(values, mean, variance)
    there = centred[:, None, :, position].double()
    return constant + linear * there + square * there.square()


def mean_parts(values: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor, position: int) -> torch.Tensor:
    """Of what each channel adds to A_p the part of its mean, (22)'s first term; the rest is its deviation's. (B, C)."""
    channels = values.shape[1]
    mu, v = (of.to(values.device)[:, :channels] for of in (mean, variance))
    there = values[:, :, position].double()
    return (values.mean(dim=2).double() - mu) * (there - mu) / (2 * channels * v)


def at_size(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Maps (..., h, w), bilinear at another size (H, W): float32 (..., H, W)."""
    flat = torch.from_numpy(np.ascontiguousarray(maps, dtype=np.float32)).reshape(-1, 1, *maps.shape[-2:])
    return interpolate(flat, size=tuple(size), mode="bilinear").numpy().reshape(*maps.shape[:-2], *size)


def _expanded(
    values: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """h - m (B, C, P), and of ``PARTS`` and channels the constant and the factors of h - m and (h - m)^2, (B, 2, C)."""
    channels = values.shape[1]
    mu, mu_s = mean.to(values.device).split(channels, dim=1)
    v, v_s = variance.to(values.device).split(channels, dim=1)
    m = values.mean(dim=2)
    centred = values - m.unsqueeze(2)
    squares = centred.square().mean(dim=2).double()
    s = squares.clamp_min(VARIANCE_FLOOR).sqrt()
    off, off_s = m.double() - mu, s - mu_s
    on_floor = squares < VARIANCE_FLOOR
    whole = v + v_s + mu_s.square()  # the variance of a pixel of an ID image about mu
    constant = [off.square() / v + torch.where(on_floor, off_s, -mu_s) * off_s / v_s, off.square() / whole]
    linear = [off / v, 2 * off / whole]
    square = [torch.where(on_floor, 0.0, off_s / (v_s * s)), (1 / whole).expand_as(s)]
    # (22) divides by the snapshot's 2C numbers, (23) by the C channels
    size = torch.tensor([2.0 * channels, channels], dtype=torch.float64, device=values.device)[:, None]
    return centred, *(torch.stack(part, dim=1) / size for part in (constant, linear, square))


def _as_it_is(output: torch.Tensor) -> torch.Tensor:
    return output
