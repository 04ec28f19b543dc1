"""How far the noise estimate of a turned image is from the turned noise estimate: what GEPC reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from cfs_explore.backbones.base import Backbone, as_images, per_image
from cfs_explore.contracts import Cost, Level
from cfs_explore.errors import CFSError
from cfs_explore.readings.protocol import Batch

Turn = Callable[[torch.Tensor], torch.Tensor]

#: Name -> an operation on the last two axes, and its inverse.
TURNS: dict[str, tuple[Turn, Turn]] = {
    "id": (lambda x: x, lambda x: x),
    "hflip": (lambda x: x.flip(-1), lambda x: x.flip(-1)),
    "vflip": (lambda x: x.flip(-2), lambda x: x.flip(-2)),
    "rot90": (lambda x: x.rot90(1, (-2, -1)), lambda x: x.rot90(-1, (-2, -1))),
    "rot180": (lambda x: x.flip(-2, -1), lambda x: x.flip(-2, -1)),
    "roll-x": (lambda x: x.roll(1, -1), lambda x: x.roll(-1, -1)),
    "roll-y": (lambda x: x.roll(1, -2), lambda x: x.roll(-1, -2)),
}
#: Kept from a division by zero.
FLOOR = 1e-8


class Equivariance:
    """r_g = pool((g^-1 eps(g x) - eps(x))^2) / (pool(eps(x)^2) + 1e-8), mean over the group's elements.

    pool is the mean over channels, then over the largest values of the pixels, chosen in numerator and denominator
    each. Noise is turned with the image.

    Args:
        levels: where images are corrupted.
        group: names of ``TURNS``; the identity costs a forward as any other.
        share: of the pixels that pool takes, in (0, 1].
        parts: "eps" reads r alone; "three" adds the mean over the group of 1 - cos(g^-1 eps(g x), eps(x)), over all
            values, and r of the clean estimate instead of the noise.
    """

    unit = "statistic"

    def __init__(self, levels: Sequence[Level], group: Sequence[str], *, share: float = 0.3, parts: str = "eps"):
        unknown = sorted(set(group) - set(TURNS))
        if unknown or not group:
            raise CFSError(f"group must be of {', '.join(TURNS)}. Got {', '.join(group) or '(none)'} instead.")
        if not 0 < share <= 1:
            raise CFSError(f"share must be above 0 and at most 1. Got {share} instead.")
        self.levels, self.group, self.share, self.parts = tuple(levels), tuple(group), float(share), parts
        names = ("eps",) if parts == "eps" else ("eps", "cos", "x0")
        self.columns = {name: slice(k, k + 1) for k, name in enumerate(names)}
        self.name = f"equivariance({', '.join(self.group)}; largest {share:g})"
        self.cost = Cost(forwards=1 + len(self.group), jvps=0, effective=1.0 + len(self.group))

    def read(self, backbone: Backbone, batch: Batch) -> torch.Tensor:
        """float64 (B, 1 or 3).

        Raises:
            CFSError: a turn by 90 degrees of images that are not square.
        """
        x = batch.x
        if "rot90" in self.group and x.shape[-1] != x.shape[-2]:
            raise CFSError(f"rot90 needs square images. Got {x.shape[-2]} x {x.shape[-1]}: leave it out of `group`.")
        eps = backbone.predict_eps(x, batch.conditioning).double()
        found = []
        for name in self.group:
            turn, back = TURNS[name]
            turned = turn(x).contiguous(memory_format=batch.layout)
            found.append(self._compared(batch, x, eps, back(backbone.predict_eps(turned, batch.conditioning)).double()))
        return torch.stack(found).mean(dim=0)

    def _compared(self, batch: Batch, x: torch.Tensor, eps: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """The statistics of one element, (B, 1 or 3)."""
        parts = [self._relative(eps, other)]
        if self.parts != "eps":
            parts.append(1.0 - torch.cosine_similarity(eps.flatten(1), other.flatten(1)))
            a, b = (as_images(per_image(batch.conditioning, key, x)).double() for key in ("a", "b"))
            parts.append(self._relative((x - b * eps) / a, (x - b * other) / a))
        return torch.stack(parts, dim=1)

    def _relative(self, values: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        return self._pool((other - values).square()) / (self._pool(values.square()) + FLOOR)

    def _pool(self, values: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B,)."""
        pixels = values.mean(dim=1).flatten(1)
        return pixels.topk(max(1, int(self.share * pixels.shape[1])), dim=1).values.mean(dim=1)
