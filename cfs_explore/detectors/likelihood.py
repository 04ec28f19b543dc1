"""Detectors made of a diffusion likelihood (docs/detectors.md): the same terms, which a run reads once.

-log p(x) = d/2 ln(2 pi e) - 1/2 int [d snr / (1 + snr) - E_e ||e - eps||^2] dlam (arXiv 2310.17432), exact
for the optimal denoiser over all of lam. The range is part of the detector: what is cut off at the noisy end is nearly
the same for all images, at the clean end it is not. The expectation over e is the mean over the draws, which come first
wherever a likelihood is compared with another number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np

from cfs_explore.detectors.densities import varying
from cfs_explore.detectors.protocol import ReadingDetector
from cfs_explore.errors import CFSError
from cfs_explore.heads.protocol import FeatureError

if TYPE_CHECKING:
    from cfs_explore.backbones.base import Backbone
    from cfs_explore.contracts import Level
    from cfs_explore.readings.protocol import Reading

#: Log-SNRs of the integral, as far as the backbone reaches, and how many levels.
TOP, BOTTOM, LEVELS = 10.0, -10.0, 20

#: Numbers that a level gives: ||e - eps||^2, ||eps||^2, ||x0h - x0||^2.
TERMS = 3


class Terms(ReadingDetector):
    """Reads the likelihood terms.

    Args:
        lams: log-SNRs, at least 2; None: 20, evenly from 10 to -10, or as far as the backbone reaches.
        draws: noise draws per image.

    Attributes:
        lams_: after ``readings``, of the levels that are read; those that fall on one level are read once.
        dimensions_: after ``readings``, d: pixels x channels of what is corrupted.
    """

    def __init__(self, *, lams: Sequence[float] | None = None, draws: int = 1):
        super().__init__(draws)
        self.lams = None if lams is None else tuple(float(lam) for lam in lams)

    def readings(self, backbone: Backbone) -> list[Reading]:
        from cfs_explore.readings.likelihood_terms import LikelihoodTerms

        levels = self.levels(backbone)
        self.lams_ = np.array([level.lam for level in levels])
        self.dimensions_ = math.prod(backbone.input_shape)
        return [LikelihoodTerms(levels)]

    def levels(self, backbone: Backbone) -> list[Level]:
        """The backbone's levels, no two alike.

        Raises:
            CFSError: fewer than 2.
        """
        lams = self.lams
        if lams is None:
            low, high = backbone.reach
            lams = np.linspace(min(TOP, high), max(BOTTOM, low), LEVELS).tolist()
        levels = list({level.lam: level for level in map(backbone.match, reversed(lams))}.values())[::-1]
        if len(levels) < 2:
            raise CFSError(f"A likelihood needs 2 or more levels. {backbone.name} has {len(levels)} of {list(lams)}.")
        return levels

    def requested(self, backbone: Backbone) -> list[float]:
        return [TOP, BOTTOM] if self.lams is None else list(self.lams)

    def terms(self, z: np.ndarray) -> np.ndarray:
        """The terms of readings, float64 (draw, image, level, 3), and whatever other columns follow them left out.

        Raises:
            FeatureError: nothing was read yet, or readings of another width.
        """
        if "columns_" not in vars(self):
            raise FeatureError(f"{self.name} does not know its features yet. Call read(backbone, images) first.")
        z, width = np.asarray(z, dtype=np.float64), max(part.stop for part in self.columns_.values())
        if z.ndim != 3 or z.shape[2] != width:
            raise FeatureError(f"Readings must have shape (draw, image, {width}). Got {z.shape} instead.")
        return z[..., : TERMS * len(self.lams_)].reshape(*z.shape[:2], len(self.lams_), TERMS)

    def fitted(self, attribute: str):
        """What ``fit`` learned, or a FeatureError."""
        if attribute not in vars(self):
            raise FeatureError(f"{self.name} is not fitted. Call fit(readings of ID-train) first.")
        return getattr(self, attribute)


class NLL(Terms):
    """-log p(x) in nats, for images in [-1, 1] as a density; over d ln 2 it is bits per dimension. No fit."""

    title = "Diffusion NLL"
    paper = "Kingma et al. 2021 (arXiv 2107.00630); as a detector arXiv 2310.17432"
    variant = "20 levels"
    meaning = "The network finds the image unlikely: it tells its noise badly, over all levels."

    def likelihood(self, z: np.ndarray) -> np.ndarray:
        """NLL in nats, mean over draws, (image,)."""
        return nll(self.terms(z)[..., 0].mean(axis=0), self.lams_, self.dimensions_)

    def fit(self, z_train: np.ndarray) -> Self:
        """Nothing to learn, but readings that do not fit are refused."""
        self.likelihood(z_train)
        return self

    def score(self, z: np.ndarray) -> np.ndarray:
        """float64 (image,)."""
        return self.likelihood(z)


class Typicality(NLL):
    """|NLL(x) - mean of ID-train's|. An image of any kind whose NLL is that mean scores 0: its known blind spot."""

    title = "Typicality"
    paper = "Nalisnick et al. 2019 (arXiv 1906.02994)"
    variant = "on the likelihood of 20 levels"
    meaning = "The image's likelihood is far from what ID images usually have, on either side."

    def fit(self, z_train: np.ndarray) -> Self:
        """Learn the mean NLL of ID-train readings."""
        self.centre_ = float(self.likelihood(z_train).mean())
        return self

    def score(self, z: np.ndarray) -> np.ndarray:
        """float64 (image,), in nats."""
        return np.abs(self.likelihood(z) - self.fitted("centre_"))


class InputComplexity(NLL):
    """NLL in bits less the bits of the image's PNG code. The original takes the best of several compressors: PNG alone.

    The constant d log2(127.5) between a density on [-1, 1] and bytes is left out. Latent backbones are refused: their
    likelihood is of latents, the code of pixels.
    """

    title = "Input complexity"
    paper = "Serra et al. 2020 (arXiv 1909.11480)"
    variant = "original, PNG alone"
    meaning = "The network needs more bits for the image than a general compressor does."

    def readings(self, backbone: Backbone) -> list[Reading]:
        """Raises CFSError for a backbone in latent space, or of images that are neither grey nor of three channels."""
        from cfs_explore.readings.png_length import PngLength

        if backbone.input_shape != backbone.image_shape:
            raise CFSError(
                f"Input complexity compares the bits of pixels, and {backbone.name} gives likelihoods of latents. "
                "Use a backbone in pixel space."
            )
        if backbone.image_shape[0] not in (1, 3):
            raise CFSError(f"PNG codes images of 1 or 3 channels. {backbone.name} has {backbone.image_shape[0]}.")
        first, *rest = super().readings(backbone)
        return [first, *rest, PngLength(first.levels[0])]

    def score(self, z: np.ndarray) -> np.ndarray:
        """float64 (image,), in bits."""
        return self.likelihood(z) / math.log(2) - np.asarray(z, dtype=np.float64)[0, :, -1]


class BandRatio(NLL):
    """The coarse band's loss against the fine band's: z(L_coarse) - z(L_fine), z on ID-train.

    L_A = 1/2 int_A E||e - eps||^2 dlam, fine where lam > ``split``. It stands where arXiv 2310.17432 has a likelihood
    ratio of one model at several noise levels, whose definition could not be read; this is not that one.

    Args:
        split: the log-SNR between the bands.
        lams, draws: as of ``NLL``.
    """

    title = "Band ratio"
    paper = "this project; after an idea of arXiv 2310.17432"
    variant = "this project's"
    meaning = "The network errs at the image's coarse content more than at its detail, compared with ID images."

    def __init__(self, *, split: float = 2.0, lams: Sequence[float] | None = None, draws: int = 1):
        super().__init__(lams=lams, draws=draws)
        self.split = float(split)

    def readings(self, backbone: Backbone) -> list[Reading]:
        """Raises CFSError where all levels lie on one side of ``split``."""
        found = super().readings(backbone)
        if not self.lams_.min() < self.split < self.lams_.max():
            raise CFSError(
                f"split must lie between the levels, lam {self.lams_.min():.2f} and {self.lams_.max():.2f} of "
                f"{backbone.name}. Got {self.split:g} instead."
            )
        return found

    def bands(self, z: np.ndarray) -> np.ndarray:
        """L_coarse and L_fine, mean over draws, (image, 2)."""
        errors = self.terms(z)[..., 0].mean(axis=0)
        weights = [trapezoid(self.lams_, high=self.split), trapezoid(self.lams_, low=self.split)]
        return 0.5 * errors @ np.transpose(weights)

    def fit(self, z_train: np.ndarray) -> Self:
        """Learn mean and standard deviation of both bands; FeatureError where ID images do not differ."""
        bands = varying(self.bands(z_train))
        self.mean_, self.std_ = bands.mean(axis=0), bands.std(axis=0)
        return self

    def score(self, z: np.ndarray) -> np.ndarray:
        """float64 (image,)."""
        mean = self.fitted("mean_")
        coarse, fine = ((self.bands(z) - mean) / self.std_).T
        return coarse - fine


def nll(errors: np.ndarray, lams: np.ndarray, dimensions: int) -> np.ndarray:
    """-log p in nats, (...,), of E||e - eps||^2 at log-SNRs: errors (..., level), lams (level,)."""
    signal = dimensions / (1 + np.exp(-lams))  # d snr / (1 + snr)
    return dimensions / 2 * math.log(2 * math.pi * math.e) - 0.5 * (signal - errors) @ trapezoid(lams)


def trapezoid(lams: np.ndarray, low: float = -np.inf, high: float = np.inf) -> np.ndarray:
    """Weights (level,) of the integral over [low, high] of what is linear between the log-SNRs, in any order."""
    order = np.argsort(lams)
    at = np.asarray(lams, dtype=np.float64)[order]
    low, high = max(low, at[0]), min(high, at[-1])
    weights = np.zeros(at.size)
    if low < high:
        grid = np.unique([low, *at[(at > low) & (at < high)], high])
        hats = np.stack([np.interp(grid, at, hat) for hat in np.eye(at.size)])  # (level, grid)
        weights[order] = (hats[:, 1:] + hats[:, :-1]) @ np.diff(grid) / 2
    return weights
