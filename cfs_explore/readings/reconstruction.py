"""How far an image is from its reconstruction out of noise: what DDPM-OOD reads."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from cfs_explore.backbones.base import Backbone
from cfs_explore.contracts import Cost, Level
from cfs_explore.readings.keyed import KeyedNoise
from cfs_explore.readings.paths import at_level, clean_estimate, path_name
from cfs_explore.readings.protocol import Batch


class Reconstruction:
    """Mean squared difference over pixels and channels to the image that DDIM makes of the noised one.

    Args:
        path: levels from noisy to clean; the image is noised at the first, and x0h of the last is its reconstruction.
            One level is the one-step reconstruction.
        clip: whether that is clipped to [-1, 1].
        fresh: the noise is one of this start's own; else the batch's, which all starts share.
    """

    unit = "error"
    columns = {"mse": slice(0, 1)}  # noqa: RUF012 - never changed

    def __init__(self, path: Sequence[Level], *, clip: bool = False, fresh: bool = False):
        self.path, self.clip, self.fresh = tuple(path), clip, fresh
        self.levels = self.path[:1]
        how = f"{', clipped' if clip else ''}{', fresh noise' if fresh else ''}"
        self.name = f"reconstruction({path_name(self.path)}{how})"
        self.cost = Cost(forwards=len(self.path), jvps=0, effective=float(len(self.path)))

    def read(self, backbone: Backbone, batch: Batch) -> torch.Tensor:
        """float64 (B, 1)."""
        x = batch.x
        if self.fresh:
            start = self.path[0]
            noise = KeyedNoise(batch, f"reconstruction from {start.requested:g}").normal()
            x = at_level(batch.x0, noise, start).contiguous(memory_format=batch.layout)
        for level, after in zip(self.path, (*self.path[1:], None), strict=True):
            eps = backbone.predict_eps(x, level)
            x0h = clean_estimate(x, eps, level)
            if after is not None:
                x = at_level(x0h, eps, after)
        if self.clip:
            x0h = x0h.clamp(-1.0, 1.0)
        return (x0h.double() - batch.x0.double()).square().flatten(1).mean(dim=1, keepdim=True)
