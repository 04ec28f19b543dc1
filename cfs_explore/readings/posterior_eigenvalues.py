"""The largest eigenvalues of the posterior's covariance Cov[x0 | x], by subspace iteration with differences."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from cfs_explore.backbones.base import Backbone, as_images, per_image
from cfs_explore.contracts import Cost, Level
from cfs_explore.readings.keyed import KeyedNoise
from cfs_explore.readings.protocol import Batch

#: A vector shorter than this is not made longer: the denoiser does not answer at all.
_SHORTEST = 1e-30


class PosteriorEigenvalues:
    """sigma^2 ||W_k|| after so many iterations of W_k = (D(y + c v_k) - D(y - c v_k)) / 2c, V = QR(W).

    y = x / a, sigma = b / a, D(y) = x0h(a y). Cov[x0 | x] = sigma^2 J_D.

    Args:
        levels: where images are corrupted.
        vectors: K.
        iterations: always so many; the residual says how far they came.
        step: c, the length of a step from y, in the images' unit.
    """

    unit = "statistic"

    def __init__(self, levels: Sequence[Level], vectors: int = 1, iterations: int = 8, step: float = 1.0):
        self.levels, self.vectors, self.iterations, self.step = tuple(levels), vectors, iterations, step
        self.name = f"posterior_eigenvalues, {vectors} vectors, {iterations} iterations, step {step:g}"
        self.columns = {"eigenvalues": slice(0, vectors), "residuals": slice(vectors, 2 * vectors)}
        forwards = 2 * vectors * iterations
        self.cost = Cost(forwards, 0, float(forwards))

    def read(self, backbone: Backbone, batch: Batch) -> torch.Tensor:
        """float64 (B, 2K): eigenvalues, in the images' unit squared, and ||W_k - V V'W_k|| / ||W_k|| of the last W."""
        a, b = (as_images(per_image(batch.levels, name, batch.images)) for name in ("a", "b"))
        noise = KeyedNoise(batch, "vectors")
        v = _orthonormal(torch.stack([noise.normal().double().flatten(1) for _ in range(self.vectors)], dim=2))
        for _ in range(self.iterations):
            before = v  # (B, d, K)
            w = torch.stack([self._along(backbone, batch, a, before[..., k]) for k in range(self.vectors)], dim=2)
            v = _orthonormal(w)
        length = w.norm(dim=1)
        outside = (w - before @ (before.transpose(1, 2) @ w)).norm(dim=1) / length.clamp_min(_SHORTEST)
        return torch.cat([(b / a).double().flatten(1).square() * length, outside], dim=1)

    def _along(self, backbone: Backbone, batch: Batch, a: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """W of unit vectors (B, d), float64 (B, d)."""
        step = a * self.step * v.view(batch.x.shape).float().contiguous(memory_format=batch.layout)
        ahead, behind = (backbone.predict_x0(batch.x + sign * step, batch.conditioning) for sign in (1, -1))
        return (ahead.double() - behind.double()).flatten(1) / (2 * self.step)


def _orthonormal(w: torch.Tensor) -> torch.Tensor:
    """An orthonormal basis of the columns, (B, d, K)."""
    if w.shape[2] == 1:
        return w / w.norm(dim=1, keepdim=True).clamp_min(_SHORTEST)
    return torch.linalg.qr(w).Q
