"""The diagonal head of the paper (theory 3)."""

from __future__ import annotations

from typing import Self

import numpy as np

from cfs_explore.contracts import VARIANCE_FLOOR
from cfs_explore.heads.protocol import FeatureError, scoring_features, training_features


class Diagonal:
    """Mean squared standardised deviation, s = (1/d) sum_j (z_j - mu_j)^2 / v_j (theory 3).

    Attributes:
        mean_: mu, (d,).
        variance_: v, population variance floored at ``VARIANCE_FLOOR``, (d,).
    """

    name, title = "diag", "Diagonal"

    def fit(self, features: np.ndarray) -> Self:
        """Learn mu and v from ID-train features (n >= 2, d)."""
        values = training_features(features, minimum=2)
        return self._set_moments(values.mean(axis=0), values.var(axis=0))

    @classmethod
    def from_moments(cls, mean: np.ndarray, variance: np.ndarray) -> Self:
        """Build a fitted head from streamed moments: mean (d,) and population variance (d,).

        Raises:
            FeatureError: not 1-D, of different length, not finite, or a negative variance.
        """
        mean, variance = np.asarray(mean, dtype=np.float64), np.asarray(variance, dtype=np.float64)
        if mean.ndim != 1 or mean.shape != variance.shape or mean.size == 0:
            raise FeatureError(
                f"mean and variance must both have shape (n_features,). Got {mean.shape} and {variance.shape} instead."
            )
        if not (np.isfinite(mean).all() and np.isfinite(variance).all() and (variance >= 0).all()):
            raise FeatureError("mean and variance must be finite, and variance must not be negative.")
        return cls()._set_moments(mean, variance)

    def score(self, features: np.ndarray) -> np.ndarray:
        """Slot score of features (n, d): float64 (n,), about 1 on ID."""
        values = scoring_features(features, self)
        return ((values - self.mean_) ** 2 / self.variance_).mean(axis=1)

    def _set_moments(self, mean: np.ndarray, variance: np.ndarray) -> Self:
        self.n_features_ = mean.size
        self.mean_ = mean
        self.variance_ = np.maximum(variance, VARIANCE_FLOOR)
        return self
