"""The norm of the noise estimate, which is that of the score times b: what MSMA reads."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from cfs_explore.backbones.base import Backbone, as_images, per_image
from cfs_explore.contracts import Cost, Level
from cfs_explore.readings.protocol import Batch


class NoiseNorm:
    """||eps_hat||_2 over pixels and channels.

    Args:
        levels: what the network is told.
        clean: it is shown a x0, the image without noise, so that the batch's noise does not matter; else x_lam.
    """

    unit = "statistic"
    columns = {"norm": slice(0, 1)}  # noqa: RUF012 - never changed
    cost = Cost(forwards=1, jvps=0, effective=1.0)

    def __init__(self, levels: Sequence[Level], *, clean: bool = False):
        self.levels, self.clean = tuple(levels), clean
        self.name = "clean_noise_norm" if clean else "noise_norm"

    def read(self, backbone: Backbone, batch: Batch) -> torch.Tensor:
        """float64 (B, 1)."""
        x = batch.x
        if self.clean:
            x = as_images(per_image(batch.levels, "a", batch.images)) * batch.x0
            x = x.contiguous(memory_format=batch.layout)
        eps = backbone.predict_eps(x, batch.conditioning)
        return eps.double().square().flatten(1).sum(dim=1, keepdim=True).sqrt()
