"""DDPM-OOD: errors of reconstructions from many noise levels (docs/detectors.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cfs_explore.detectors.densities import KernelDensity, varying
from cfs_explore.detectors.msma import UNIT_RANGE
from cfs_explore.detectors.statistics import StatisticDetector
from cfs_explore.errors import CFSError
from cfs_explore.heads.protocol import STD_FLOOR
from cfs_explore.levels import lam_range

if TYPE_CHECKING:
    from cfs_explore.backbones.base import Backbone
    from cfs_explore.readings.reconstruction import Reconstruction


def plms_lams() -> list[float]:
    """t = 990, 980, ..., 0 of beta from 0.0015 to 0.0195 (linear in its root, 1,000 steps), on images in [0, 1]."""
    abar = np.cumprod(1.0 - np.linspace(0.0015**0.5, 0.0195**0.5, 1000) ** 2)[990::-10]
    return [round(float(lam), 6) for lam in np.log(abar / (1.0 - abar)) - UNIT_RANGE]


class DDPMOOD(StatisticDetector):
    """Mean squared errors of reconstructions from seven noise levels, each standardised on ID-train, and their mean.

    Graham et al. 2023 walk the same 100 levels by PLMS, whose history leaks from one start into the next in their
    code. Here each start has a history of its own, which makes DDIM the exact simple choice, and ends in the clean
    estimate of the last level, clipped (not in latent space, which has no bounds). Each start has noise of its own. The
    published score adds LPIPS, which needs another trained network and is left out; means and deviations are those of
    ID-train. The CFS paper's version (``ddpm_ood_mbe``) walks from lam 5 to -10, with one noise for all starts and
    without clipping.

    Args:
        skip: every which level of the grid, from the second clean one up, is a start.
        draws: noise draws per image.
    """

    title, paper, variant = "DDPM-OOD", "Graham et al. 2023, arXiv 2211.07740", "original levels, DDIM and MSE alone"
    meaning = "The image is reconstructed out of noise with larger errors than ID images are."

    #: Of the standard deviation: the original divides by one image less, the CFS paper's code adds a small number.
    _ddof, _floor = 1, 0.0

    def __init__(self, *, skip: int = 16, draws: int = 1):
        super().__init__(draws)
        self.grid = plms_lams()
        if not 1 <= skip < len(self.grid):
            raise CFSError(f"skip must be from 1 to {len(self.grid) - 1}. Got {skip} instead.")
        self.starts = range(len(self.grid) - 2, -1, -skip)

    def readings(self, backbone: Backbone) -> list[Reconstruction]:
        """One for each start: they differ in their number of steps."""
        from cfs_explore.readings.paths import is_latent
        from cfs_explore.readings.reconstruction import Reconstruction

        levels = [backbone.match(lam) for lam in self.grid]
        clip = not is_latent(backbone)
        return [Reconstruction(levels[start:], clip=clip, fresh=True) for start in self.starts]

    def requested(self, backbone: Backbone) -> list[float]:
        """All levels of the grid that a path passes."""
        return self.grid[min(self.starts) :]

    def fit_rows(self, rows: np.ndarray) -> None:
        values = varying(rows)
        self.mean_, self.std_ = values.mean(axis=0), values.std(axis=0, ddof=self._ddof) + self._floor

    def score_rows(self, rows: np.ndarray) -> np.ndarray:
        return ((rows - self.mean_) / self.std_).mean(axis=1)


class SharedNoiseDDPMOOD(DDPMOOD):
    """DDPM-OOD as the CFS paper has it: DDIM on an even grid of log-SNRs, one noise draw for all starts.

    Errors are those of the last level's clean estimate, not clipped. The original (``ddpm_ood``) has the levels of its
    own schedule, noise of its own for each start, and clips.

    Args:
        levels: of the grid.
        skip: every which level, from the noisiest down, is a start.
        high, low: ends of the grid, log-SNR.
        draws: noise draws per image.
    """

    paper, variant = "Graham et al. 2023, arXiv 2211.07740, as in arXiv 2605.11014", "CFS paper's version"
    _ddof, _floor = 0, STD_FLOOR

    def __init__(self, *, levels: int = 100, skip: int = 16, high: float = 5.0, low: float = -10.0, draws: int = 1):
        super().__init__(draws=draws)
        if not 1 <= skip <= levels:
            raise CFSError(f"skip must be from 1 to the number of levels, {levels}. Got {skip} instead.")
        self.grid = lam_range(high, low, levels)[::-1]
        self.starts = range(0, levels, skip)

    def readings(self, backbone: Backbone) -> list[Reconstruction]:
        """One for each start: they differ in their number of steps."""
        from cfs_explore.readings.reconstruction import Reconstruction

        levels = [backbone.match(lam) for lam in self.grid]
        return [Reconstruction(levels[start:]) for start in self.starts]


class OneStep(StatisticDetector):
    """The mean squared error of one forward's clean estimate, -log of a kernel density: reconstruction without a path.

    The score is two-sided: an unusually small error is as rare as a large one.

    Args:
        lam: requested log-SNR.
        draws: noise draws per image.
    """

    title, paper, variant = "One-step reconstruction", "arXiv 2605.11014", "CFS paper's version"
    trajectory = False
    meaning = "The network's one-step reconstruction of the noised image misses it by an amount that is rare on ID."

    def __init__(self, *, lam: float = 5.0, draws: int = 1):
        super().__init__(draws)
        self.lam = float(lam)

    def readings(self, backbone: Backbone) -> list[Reconstruction]:
        from cfs_explore.readings.reconstruction import Reconstruction

        return [Reconstruction([backbone.match(self.lam)])]

    def fit_rows(self, rows: np.ndarray) -> None:
        self.density_ = KernelDensity().fit(rows[:, 0])

    def score_rows(self, rows: np.ndarray) -> np.ndarray:
        return -self.density_.log_density(rows[:, 0])
