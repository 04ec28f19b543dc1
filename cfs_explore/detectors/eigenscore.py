"""EigenScore: how far the denoiser's answer is open in its widest directions (docs/detectors.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np

from cfs_explore.detectors.densities import varying
from cfs_explore.detectors.protocol import ReadingDetector
from cfs_explore.errors import CFSError
from cfs_explore.heads.protocol import FeatureError

if TYPE_CHECKING:
    from cfs_explore.backbones.base import Backbone
    from cfs_explore.readings.posterior_eigenvalues import PosteriorEigenvalues


class EigenScore(ReadingDetector):
    """Sum over levels of the standardised leading eigenvalues of Cov[x0 | x].

    The original takes 3 vectors, 20 draws and up to 50 iterations until the vectors stand, with draws discarded that
    do not; this budget form takes 1, 1 and always 8, and says how far they came.

    Args:
        lams: log-SNRs.
        vectors: K, whose eigenvalues are summed.
        iterations: of the subspace iteration.
        step: c of the central differences, in the images' unit.
        draws: I; eigenvalues are averaged over draws before they are standardised.

    Attributes:
        mean_, std_: of ID-train's summed eigenvalues, (level,).
        residual_: mean residual of the iteration on ID-train, (level,): 0 where the vectors are eigenvectors.
    """

    title = "EigenScore"
    paper = "arXiv 2510.07206"
    variant = "reduced"
    meaning = "The denoiser is less sure of the image, in the directions where it is least sure, than of ID images."

    def __init__(
        self,
        *,
        lams: Sequence[float] = (2.14, 1.30, 0.65, 0.09, -0.43),
        vectors: int = 1,
        iterations: int = 8,
        step: float = 1.0,
        draws: int = 1,
    ):
        super().__init__(draws)
        if min(vectors, iterations, len(lams)) < 1 or not step > 0:
            raise CFSError(
                "vectors, iterations and the number of lams must be at least 1, and step positive. "
                f"Got {vectors}, {iterations}, {len(lams)} and {step} instead."
            )
        self.lams, self.vectors, self.iterations, self.step = tuple(map(float, lams)), vectors, iterations, float(step)

    def readings(self, backbone: Backbone) -> list[PosteriorEigenvalues]:
        """Raises CFSError where there are more vectors than dimensions."""
        from cfs_explore.readings.posterior_eigenvalues import PosteriorEigenvalues

        if self.vectors > (dimensions := int(np.prod(backbone.input_shape))):
            raise CFSError(f"vectors must be at most the {dimensions} dimensions. Got {self.vectors} instead.")
        levels = [backbone.match(lam) for lam in self.lams]
        return [PosteriorEigenvalues(levels, self.vectors, self.iterations, self.step)]

    def eigenvalues(self, z: np.ndarray) -> np.ndarray:
        """m: their sum over vectors, mean over draws, float64 (image, level)."""
        return self._parts(z)[:, :, 0].sum(axis=2)

    def residuals(self, z: np.ndarray) -> np.ndarray:
        """||A v - v (v'Av)|| / ||A v||, mean over vectors and draws, float64 (image, level)."""
        return self._parts(z)[:, :, 1].mean(axis=2)

    def _parts(self, z: np.ndarray) -> np.ndarray:
        """(image, level, eigenvalue | residual, vector)."""
        z, width = np.asarray(z, dtype=np.float64), 2 * self.vectors * len(self.lams)
        if z.ndim != 3 or z.shape[2] != width:
            raise FeatureError(f"Readings must have shape (draw, image, {width}). Got {z.shape} instead.")
        return z.mean(axis=0).reshape(-1, len(self.lams), 2, self.vectors)

    def fit(self, z_train: np.ndarray) -> Self:
        """Learn mean and standard deviation from ID-train readings; FeatureError where ID images do not differ."""
        found = varying(self.eigenvalues(z_train))
        self.mean_, self.std_ = found.mean(axis=0), found.std(axis=0)
        self.residual_ = self.residuals(z_train).mean(axis=0)
        return self

    def score(self, z: np.ndarray) -> np.ndarray:
        """float64 (image,)."""
        if "mean_" not in vars(self):
            raise FeatureError(f"{self.name} is not fitted. Call fit(readings of ID-train) first.")
        return ((self.eigenvalues(z) - self.mean_) / self.std_).sum(axis=1)

    def notes(self, backbone: Backbone) -> list[str]:
        found = super().notes(backbone)
        if "residual_" in vars(self):
            shown = ", ".join(f"{value:.2f} at {lam:g}" for lam, value in zip(self.lams, self.residual_, strict=True))
            found.append(f"After {self.iterations} iterations the mean residual on ID-train is {shown} (0: converged).")
        return found
