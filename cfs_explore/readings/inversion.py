"""Paths from an image towards noise by DDIM inversion, one forward a step: what DiffPath reads."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from cfs_explore.backbones.base import Backbone
from cfs_explore.contracts import Cost, Level
from cfs_explore.readings.paths import at_level, clean_estimate, path_name
from cfs_explore.readings.protocol import Batch

#: The six sums of ``CleanInversion``, in order.
SIX = ("eps", "eps^2", "eps^3", "d", "d^2", "d^3")


class CleanInversion:
    """DiffPath's path: the clean image is taken as the state at the first level; no noise is drawn.

    At each level x0h is clipped to [-1, 1], and eps derived anew from it; then x = a' x0h + b' eps. With K levels,
    d_k = K (eps_{k+1} - eps_k), the derivative by the share of the path. Sums of eps, eps^2, eps^3 over the K steps and
    all pixels, and of d, d^2, d^3 over the K - 1.

    Args:
        path: levels from clean to noisy.
        clip: whether x0h is clipped; False for latents, which have no bounds.
    """

    unit = "sum"
    columns = {name: slice(k, k + 1) for k, name in enumerate(SIX)}  # noqa: RUF012 - never changed

    def __init__(self, path: Sequence[Level], *, clip: bool = True):
        self.path, self.clip = tuple(path), clip
        self.levels = self.path[:1]
        self.name = f"clean_inversion({path_name(self.path)}{', clipped' if clip else ''})"
        self.cost = Cost(forwards=len(self.path), jvps=0, effective=float(len(self.path)))

    def read(self, backbone: Backbone, batch: Batch) -> torch.Tensor:
        """float64 (B, 6)."""
        x = batch.x0.contiguous(memory_format=batch.layout)
        sums, before = torch.zeros(len(x), 6, dtype=torch.float64, device=x.device), None
        for level, after in zip(self.path, (*self.path[1:], None), strict=True):
            eps = backbone.predict_eps(x, level)
            x0h = clean_estimate(x, eps, level)
            if self.clip:
                x0h = x0h.clamp(-1.0, 1.0)
                eps = (x - level.a * x0h) / level.b
            if after is not None:
                x = at_level(x0h, eps, after)
            exact = eps.double().flatten(1)
            sums[:, :3] += _powers(exact)
            if before is not None:
                sums[:, 3:] += _powers(len(self.path) * (exact - before))
            before = exact
        return sums


class NoisedInversion:
    """The CFS paper's path: from the noised image, without clipping, and scalars of it alone.

    Q_k = mean of eps^2 over pixels at level k, and the slopes (Q_{k+1} - Q_k) / (lam_{k+1} - lam_k); 0 where a backbone
    has one level for both, since the path stands still.

    Args:
        path: levels from clean to noisy; the image is noised at the first.
    """

    unit = "statistic"

    def __init__(self, path: Sequence[Level]):
        self.path = tuple(path)
        self.levels = self.path[:1]
        self.name = f"noised_inversion({path_name(self.path)})"
        names = [f"Q{k}" for k in range(len(self.path))] + [f"slope{k}" for k in range(len(self.path) - 1)]
        self.columns = {name: slice(k, k + 1) for k, name in enumerate(names)}
        self.cost = Cost(forwards=len(self.path), jvps=0, effective=float(len(self.path)))

    def read(self, backbone: Backbone, batch: Batch) -> torch.Tensor:
        """float64 (B, 2K - 1): Q of the K levels, then their K - 1 slopes."""
        x, squares = batch.x, []
        for level, after in zip(self.path, (*self.path[1:], None), strict=True):
            eps = backbone.predict_eps(x, level)
            squares.append(eps.double().square().flatten(1).mean(dim=1))
            if after is not None:
                x = at_level(clean_estimate(x, eps, level), eps, after)
        q = torch.stack(squares, dim=1)
        lams = torch.tensor([level.lam for level in self.path], dtype=torch.float64, device=x.device)
        steps = lams.diff()
        return torch.cat([q, torch.where(steps == 0, 0.0, q.diff(dim=1) / steps)], dim=1)


def _powers(values: torch.Tensor) -> torch.Tensor:
    """Sums of the first three powers of values (B, d), (B, 3)."""
    square = values.square()
    return torch.stack([values.sum(1), square.sum(1), (square * values).sum(1)], dim=1)
