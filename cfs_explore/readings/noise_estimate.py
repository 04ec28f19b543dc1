"""The magnitude of the noise estimate: what alignment by expected score norm compares (theory 1)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from cfs_explore.backbones.base import Backbone
from cfs_explore.contracts import Cost, Level
from cfs_explore.readings.protocol import Batch


class NoiseEstimate:
    """|eps_hat|^2 over pixels and channels.

    Args:
        levels: where images are corrupted.
    """

    name = "noise_estimate"
    unit = "statistic"
    columns = {"square": slice(0, 1)}  # noqa: RUF012 - never changed
    cost = Cost(forwards=1, jvps=0, effective=1.0)

    def __init__(self, levels: Sequence[Level]):
        self.levels = tuple(levels)

    def read(self, backbone: Backbone, batch: Batch) -> torch.Tensor:
        """float64 (B, 1)."""
        return backbone.predict_eps(batch.x, batch.conditioning).double().square().flatten(1).sum(dim=1, keepdim=True)
