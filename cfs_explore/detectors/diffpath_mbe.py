"""DiffPath as the CFS paper has it: scalars along DDIM inversion of the noised image (docs/detectors.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cfs_explore.contracts import VARIANCE_FLOOR
from cfs_explore.detectors.densities import KernelDensity, varying
from cfs_explore.detectors.statistics import StatisticDetector
from cfs_explore.errors import CFSError
from cfs_explore.levels import lam_range

if TYPE_CHECKING:
    from cfs_explore.backbones.base import Backbone
    from cfs_explore.readings.inversion import NoisedInversion

LAMS = tuple(lam_range(5.0, -10.0, 8))


class _NoisedPath(StatisticDetector):
    """What both dimensions read: Q_k = mean eps^2 at K levels, and dQ/dlam between them.

    Args:
        lams: requested log-SNRs, two or more, from clean to noisy.
        draws: noise draws per image.
    """

    paper, variant = "Heng et al. 2024, arXiv 2405.11881, as in arXiv 2605.11014", "CFS paper's version"

    def __init__(self, *, lams: Sequence[float] = LAMS, draws: int = 1):
        super().__init__(draws)
        if len(lams) < 2:
            raise CFSError(f"A path needs two or more lams. Got {list(lams)} instead.")
        self.lams = tuple(lams)

    def readings(self, backbone: Backbone) -> list[NoisedInversion]:
        from cfs_explore.readings.inversion import NoisedInversion

        return [NoisedInversion([backbone.match(lam) for lam in self.lams])]

    def requested(self, backbone: Backbone) -> list[float]:
        """All levels of the path."""
        return list(self.lams)


class NoisedDiffPath1D(_NoisedPath):
    """Root mean square of dQ/dlam along the path, -log of a kernel density (Silverman's width).

    The original (``diffpath_1d``) starts at the clean image and has the derivative of the whole noise estimate.

    Args:
        lams: requested log-SNRs, two or more, from clean to noisy.
        draws: noise draws per image.
    """

    title = "DiffPath-1D"
    meaning = "The noise estimate's power changes along the path to noise by an amount that is rare on ID."

    def statistics(self, z: np.ndarray) -> np.ndarray:
        return np.sqrt(np.square(z[:, len(self.lams) :]).mean(axis=1, keepdims=True))

    def fit_rows(self, rows: np.ndarray) -> None:
        self.density_ = KernelDensity().fit(rows[:, 0])

    def score_rows(self, rows: np.ndarray) -> np.ndarray:
        return -self.density_.log_density(rows[:, 0])


class NoisedDiffPath6D(_NoisedPath):
    """Moments of Q and |dQ/dlam| along the path (mean, mean square, cube root of the mean cube); one diagonal Gaussian.

    The score is -log p without the constant. A moment whose variance on ID-train is below 1e-6 is measured in its own
    unit (variance 1), so that it hardly counts.

    The original (``diffpath_6d``) starts at the clean image, keeps the signs of odd powers, and has a mixture.

    Args:
        lams: requested log-SNRs, two or more, from clean to noisy.
        draws: noise draws per image.
    """

    title = "DiffPath-6D"
    meaning = "Sizes of the noise estimate's power and of its changes along the path to noise are rare on ID."

    def statistics(self, z: np.ndarray) -> np.ndarray:
        parts = z[:, : len(self.lams)], np.abs(z[:, len(self.lams) :])
        moments = [(part.mean(axis=1), np.square(part).mean(axis=1), np.cbrt((part**3).mean(axis=1))) for part in parts]
        return np.stack([*moments[0], *moments[1]], axis=1)

    def fit_rows(self, rows: np.ndarray) -> None:
        variance = varying(rows).var(axis=0)
        self.mean_ = rows.mean(axis=0)
        self.variance_ = np.where(variance < VARIANCE_FLOOR, 1.0, variance)

    def score_rows(self, rows: np.ndarray) -> np.ndarray:
        return 0.5 * ((rows - self.mean_) ** 2 / self.variance_ + np.log(self.variance_)).sum(axis=1)
