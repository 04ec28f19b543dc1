"""MSMA: norms of the score at many noise levels, and a Gaussian mixture of them (docs/detectors.md)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cfs_explore.detectors.densities import MixtureDensity
from cfs_explore.detectors.statistics import StatisticDetector
from cfs_explore.levels import lam_range

if TYPE_CHECKING:
    from cfs_explore.backbones.base import Backbone
    from cfs_explore.readings.noise_norm import NoiseNorm

#: Images in [-1, 1] have four times the power of those in [0, 1]: lam = lam of [0, 1] - ln 4.
UNIT_RANGE = math.log(4.0)

#: sigma from 0.01 to 1 in ten geometric steps, on images in [0, 1].
NCSN_LAMS = tuple(round(float(-2 * math.log(sigma) - UNIT_RANGE), 6) for sigma in np.geomspace(0.01, 1.0, 10))


class _Norms(StatisticDetector):
    """-log p of the norms under a mixture, ``density``."""

    density: MixtureDensity

    def fit_rows(self, rows: np.ndarray) -> None:
        self.density.fit(rows)

    def score_rows(self, rows: np.ndarray) -> np.ndarray:
        return -self.density.log_density(rows)


class MSMA(_Norms):
    """Norms of the noise estimate at the clean image, told ten noise levels; -log p of a full Gaussian mixture.

    Mahmood et al. 2021. The image is shown without noise (a x0 on variance-preserving networks). The number of
    Gaussians has the best likelihood in ten folds of ID-train. It draws no noise. The CFS paper's version
    (``msma_mbe``) noises the image instead, so that its norms are mostly those of the noise.

    Args:
        lams: requested log-SNRs.
        components: numbers of Gaussians to choose from.
        seed: of the mixture's starts.
    """

    title, paper, variant = "MSMA", "Mahmood et al. 2021, arXiv 2010.13132", "original"
    meaning = "The network's noise estimates for the clean image have unusual sizes across noise levels."

    def __init__(
        self, *, lams: Sequence[float] = NCSN_LAMS, components: Sequence[int] = tuple(range(2, 21, 2)), seed: int = 0
    ):
        super().__init__(draws=1)
        self.lams = tuple(lams)
        self.density = MixtureDensity(components, seed=seed)

    def readings(self, backbone: Backbone) -> list[NoiseNorm]:
        from cfs_explore.readings.noise_norm import NoiseNorm

        return [NoiseNorm([backbone.match(lam) for lam in self.lams], clean=True)]


class NoisyMSMA(_Norms):
    """MSMA as the CFS paper has it: norms at the noised image, one noise draw shared by eight levels.

    The number of Gaussians has the smallest BIC. The original (``msma``) shows the network the clean image.

    Args:
        lams: requested log-SNRs.
        components: numbers of Gaussians to choose from.
        seed: of the mixture's starts.
        draws: noise draws per image.
    """

    title = "MSMA"
    paper, variant = "Mahmood et al. 2021, arXiv 2010.13132, as in arXiv 2605.11014", "CFS paper's version"
    meaning = "The network's noise estimates for the noised image have unusual sizes across noise levels."

    def __init__(
        self,
        *,
        lams: Sequence[float] = tuple(lam_range(5.0, -10.0, 8)),
        components: Sequence[int] = (2, 4, 6, 8),
        seed: int = 0,
        draws: int = 1,
    ):
        super().__init__(draws)
        self.lams = tuple(lams)
        self.density = MixtureDensity(components, choose="bic", seed=seed)

    def readings(self, backbone: Backbone) -> list[NoiseNorm]:
        from cfs_explore.readings.noise_norm import NoiseNorm

        return [NoiseNorm([backbone.match(lam) for lam in self.lams])]
