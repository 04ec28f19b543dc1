"""Detectors that model a few statistics of each image: one row per image and draw."""

from __future__ import annotations

from typing import Self

import numpy as np

from cfs_explore.detectors.protocol import ReadingDetector
from cfs_explore.heads.protocol import FeatureError


class StatisticDetector(ReadingDetector):
    """``fit`` pools the draws of ID-train as rows; the score is the mean of the draws' scores.

    A detector says what its statistics are, and how rows of them are fitted and scored.
    """

    def statistics(self, z: np.ndarray) -> np.ndarray:
        """The statistics (n, k) of rows z (n, feature), float64; here the readings themselves."""
        return z

    def fit_rows(self, rows: np.ndarray) -> None:
        """Learn from ID-train's statistics (n, k)."""
        raise NotImplementedError

    def score_rows(self, rows: np.ndarray) -> np.ndarray:
        """Scores of statistics (n, k), float64 (n,)."""
        raise NotImplementedError

    def fit(self, z_train: np.ndarray) -> Self:
        """Learn from ID-train readings (draw, image, feature).

        Raises:
            FeatureError: readings of another shape, not finite, too few images, or images that are all alike.
        """
        z = self._checked(z_train)
        self.fit_rows(self.statistics(z.reshape(-1, z.shape[2])))
        self.width_ = z.shape[2]
        return self

    def score(self, z: np.ndarray) -> np.ndarray:
        """float64 (image,), higher = more OOD."""
        if "width_" not in vars(self):
            raise FeatureError(f"{self.name} is not fitted. Call fit(readings of ID-train) first.")
        z = self._checked(z)
        if z.shape[2] != self.width_:
            raise FeatureError(f"Readings must have shape (draw, image, {self.width_}). Got {z.shape} instead.")
        if not z.shape[1]:
            return np.empty(0)
        return np.mean([self.score_rows(self.statistics(draw)) for draw in z], axis=0)

    def _checked(self, z: np.ndarray) -> np.ndarray:
        z = np.asarray(z, dtype=np.float64)
        if z.ndim != 3 or not z.shape[0] or not z.shape[2]:
            raise FeatureError(f"Readings must have shape (draw, image, feature). Got {z.shape} instead.")
        bad = ~np.isfinite(z).all(axis=(0, 2))
        if bad.any():
            raise FeatureError(f"Readings must be finite. {bad.sum()} of {bad.size} images have NaN or infinity.")
        return z
