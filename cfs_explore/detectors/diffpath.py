"""DiffPath: how the noise estimate changes along a deterministic path from image to noise (docs/detectors.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cfs_explore.detectors.densities import KernelDensity, MixtureDensity, varying
from cfs_explore.detectors.statistics import StatisticDetector

if TYPE_CHECKING:
    from cfs_explore.backbones.base import Backbone
    from cfs_explore.readings.inversion import CleanInversion


def cosine_lams(steps: int = 4000, every: int = 400) -> list[float]:
    """Log-SNRs of t = 0, 400, ..., 3600 on the cosine schedule (Nichol and Dhariwal 2021, equation 17)."""
    f = np.cos((np.arange(steps + 1) / steps + 0.008) / 1.008 * np.pi / 2) ** 2
    abar = np.cumprod(1.0 - np.minimum(1.0 - f[1:] / f[:-1], 0.999))[::every]
    return [round(float(lam), 6) for lam in np.log(abar) - np.log1p(-abar)]


#: 11.53, 3.55, 2.18, 1.30, 0.61, -0.03, -0.66, -1.37, -2.27, -3.71.
COSINE_LAMS = tuple(cosine_lams())

#: Numbers of an image for which the bandwidth was published: 32 x 32 in colour.
_PUBLISHED = 3072


class _CleanPath(StatisticDetector):
    """What both dimensions of DiffPath read.

    Args:
        lams: requested log-SNRs, from clean to noisy.
    """

    paper, variant = "Heng et al. 2024, arXiv 2405.11881", "original"

    def __init__(self, lams: Sequence[float]):
        super().__init__(draws=1)
        self.lams = tuple(lams)

    def readings(self, backbone: Backbone) -> list[CleanInversion]:
        from cfs_explore.readings.inversion import CleanInversion
        from cfs_explore.readings.paths import is_latent

        return [CleanInversion([backbone.match(lam) for lam in self.lams], clip=not is_latent(backbone))]

    def requested(self, backbone: Backbone) -> list[float]:
        """All levels of the path."""
        return list(self.lams)


class DiffPath1D(_CleanPath):
    """Length of the noise estimate's derivative along DDIM inversion of the clean image, -log of a kernel density.

    Heng et al. 2024: sqrt(sum_k ||d_k||^2) over ten steps; the clean estimate is clipped to [-1, 1] at each (not in
    latent space, which has no bounds), and no noise is drawn. The CFS paper's version (``diffpath_1d_mbe``) starts at
    the noised image and takes the derivative of the mean square alone.

    Args:
        lams: requested log-SNRs, from clean to noisy.
        bandwidth: of the kernel, in the statistic's unit; the published 5 fits 32 x 32 colour images, since the
            statistic grows with their number of values. None is Silverman's.
    """

    title = "DiffPath-1D"
    meaning = "The noise estimate changes along the path to noise by an amount that is rare on ID."

    def __init__(self, *, lams: Sequence[float] = COSINE_LAMS, bandwidth: float | None = 5.0):
        super().__init__(lams)
        self.density, self.bandwidth = KernelDensity(bandwidth), bandwidth

    def notes(self, backbone: Backbone) -> list[str]:
        """Also where the published bandwidth is not made for images of this size."""
        values = int(np.prod(backbone.input_shape))
        why = f"The bandwidth of {self.bandwidth} was published for 3,072 values per image; here there are {values:,}."
        return [*super().notes(backbone), *([why] if self.bandwidth is not None and values != _PUBLISHED else [])]

    def statistics(self, z: np.ndarray) -> np.ndarray:
        return np.sqrt(z[:, 4:5])

    def fit_rows(self, rows: np.ndarray) -> None:
        self.density.fit(varying(rows)[:, 0])

    def score_rows(self, rows: np.ndarray) -> np.ndarray:
        return -self.density.log_density(rows[:, 0])


class DiffPath6D(_CleanPath):
    """Sums of the first three powers of noise estimate and derivative along the path; -log p of a Gaussian mixture.

    Heng et al. 2024. Odd powers keep the sign, which tells an image from its negative. Number and kind of the
    Gaussians have the best likelihood in ten folds of ID-train. The CFS paper's version (``diffpath_6d_mbe``) starts
    at the noised image, has moments of scalars without a sign, and a single Gaussian.

    Args:
        lams: requested log-SNRs, from clean to noisy.
        components: numbers of Gaussians to choose from; a hundred need thousands of ID-train images.
        covariances: kinds to choose from.
        seed: of the mixture's starts.
    """

    title = "DiffPath-6D"
    meaning = "Sizes and signs of the noise estimate and its changes along the path to noise are rare on ID."

    def __init__(
        self,
        *,
        lams: Sequence[float] = COSINE_LAMS,
        components: Sequence[int] = (50, 100),
        covariances: Sequence[str] = ("full", "tied", "diag", "spherical"),
        seed: int = 0,
    ):
        super().__init__(lams)
        self.density = MixtureDensity(components, covariances=covariances, steps=200, seed=seed)

    def fit_rows(self, rows: np.ndarray) -> None:
        self.density.fit(rows)

    def score_rows(self, rows: np.ndarray) -> np.ndarray:
        return -self.density.log_density(rows)
