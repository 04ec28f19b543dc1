"""Whether the layers see in a denoised image, given its noise again, what they saw in the image itself."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from cfs_explore.backbones.base import Backbone, as_images, per_image
from cfs_explore.contracts import Cost, Level, Tap
from cfs_explore.readings.protocol import Batch
from cfs_explore.taps.capture import capture

#: A snapshot shorter than this is zero.
_SHORTEST = 1e-12


class LayerConsistency:
    """Cosine and mean squared difference, tap by tap, of the snapshots of x and of x' = a x0h(x) + b e, same e.

    Args:
        levels: where images are corrupted.
        taps: which sites to read.
    """

    name = "layer_consistency"
    unit = "statistic"

    def __init__(self, levels: Sequence[Level], taps: Sequence[Tap]):
        self.levels, self.taps = tuple(levels), tuple(taps)
        names = [f"{what} of {tap.name}" for what in ("cosine", "difference") for tap in self.taps]
        self.columns = {name: slice(k, k + 1) for k, name in enumerate(names)}
        self.cost = Cost(2, 0, 1.0 + max((tap.depth for tap in self.taps), default=0.0))

    def read(self, backbone: Backbone, batch: Batch) -> torch.Tensor:
        """float64 (B, 2 taps): the cosines, then the differences."""
        names = [tap.name for tap in self.taps]
        a, b = (as_images(per_image(batch.levels, name, batch.images)) for name in ("a", "b"))
        with capture(backbone.module, names, backbone.activation, stop=False) as before:
            estimate = backbone.predict_x0(batch.x, batch.conditioning)
        again = (a * estimate + b * batch.noise).contiguous(memory_format=batch.layout)
        with capture(backbone.module, names, backbone.activation) as after:
            backbone.forward(again, batch.conditioning)
        pairs = [(before[name].double(), after[name].double()) for name in names]
        found = [_cosine(*pair) for pair in pairs] + [(one - other).square().mean(dim=1) for one, other in pairs]
        return torch.stack(found, dim=1)


def _cosine(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """(B,) of (B, features); two zeros point the same way."""
    lengths = one.norm(dim=1) * other.norm(dim=1)
    return ((one * other).sum(dim=1) + _SHORTEST) / (lengths + _SHORTEST)
