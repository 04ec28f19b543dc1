"""The probe's reading: everything that the network is shown and makes of it, whole feature maps too."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import torch

from cfs_explore.backbones.base import Backbone
from cfs_explore.contracts import Cost, Level, Tap
from cfs_explore.readings.protocol import Batch
from cfs_explore.taps.capture import capture
from cfs_explore.taps.pooling import pool


class ProbeReading:
    """x_lam, x0_hat, and each tap's snapshot and maps, by one whole forward. For a few images.

    Args:
        level: where images are corrupted.
        taps: to read.
        input_shape: of the backbone.
        sides: of ``readings.tap_maps.map_sides``.

    Attributes:
        shapes: part -> its shape for one image; tokens are laid out in rows.
    """

    name, unit = "probe", "part"
    cost = Cost(forwards=1, jvps=0, effective=1.0)

    def __init__(
        self,
        level: Level,
        taps: Sequence[Tap],
        input_shape: tuple[int, int, int],
        sides: Mapping[str, tuple[int, int]],
    ):
        self.levels, self.taps = (level,), tuple(taps)
        self.shapes: dict[str, tuple[int, ...]] = {"x_lam": input_shape, "x0_hat": input_shape}
        for tap in self.taps:
            self.shapes[f"snapshot {tap.name}"] = (2 * tap.channels,)
            self.shapes[f"maps {tap.name}"] = (tap.channels, *sides[tap.name])
        ends = itertools.accumulate(math.prod(shape) for shape in self.shapes.values())
        self.columns, start = {}, 0
        for name, end in zip(self.shapes, ends, strict=True):
            self.columns[name], start = slice(start, end), end

    def read(self, backbone: Backbone, batch: Batch) -> torch.Tensor:
        """float32 (B, width), the parts one after the other."""
        names = [tap.name for tap in self.taps]
        with capture(backbone.module, names, backbone.activation, reduce=_both, stop=False) as seen:
            x0_hat = backbone.predict_x0(batch.x, batch.conditioning)
        parts = [batch.x, x0_hat, *itertools.chain.from_iterable(seen[name] for name in names)]
        return torch.cat([part.float().flatten(1) for part in parts], dim=1)


def _both(activation: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Snapshot (B, 2C) and a copy of the maps, (B, C, H, W) or (B, C, tokens)."""
    maps = activation.transpose(1, 2) if activation.ndim == 3 else activation
    return pool(activation), maps.clone()
