"""Features clipped to what is usual on ID-train, after ReAct (Sun et al. 2021), before a Mahalanobis distance."""

from __future__ import annotations

from typing import Self

import numpy as np

from cfs_explore.heads.ledoit_wolf import LedoitWolf
from cfs_explore.heads.protocol import FeatureError, Standardiser, scoring_features, training_features


class ClippedMahalanobis:
    """``LedoitWolf`` of standardised features, each clipped to its range on ID-train.

    ReAct clips a classifier's activations from above, at a high percentile of ID, before an energy of its logits.
    Snapshots are signed, so both sides are clipped; and there are no logits, so a distance follows. Clipping takes
    away the excess that a distance measures, so the head may well find less than without it.

    Args:
        low, high: quantiles of ID-train between which a feature stays as it is, 0 <= low < high <= 1; at 0 and 1
            nothing is clipped.

    Attributes:
        limits_: lowest and highest standardised value of every feature, (2, d).
    """

    name, title = "react", "Clipped Mahalanobis (ReAct)"

    def __init__(self, *, low: float = 0.05, high: float = 0.95):
        self.low, self.high = low, high

    def fit(self, features: np.ndarray) -> Self:
        """Learn ranges, then mean and covariance of the clipped ID-train features (n >= 2, d)."""
        if not 0 <= self.low < self.high <= 1:
            raise FeatureError(f"ReAct needs 0 <= low < high <= 1. Got low = {self.low}, high = {self.high} instead.")
        values = training_features(features, minimum=2)
        self.standardiser_ = Standardiser.fit(values)
        standard = self.standardiser_(values)
        self.limits_ = np.quantile(standard, [self.low, self.high], axis=0)
        self.limits_[0, :] = -np.inf if self.low == 0 else self.limits_[0]
        self.limits_[1, :] = np.inf if self.high == 1 else self.limits_[1]
        self.head_ = LedoitWolf().fit(standard.clip(*self.limits_))
        self.n_features_ = values.shape[1]
        return self

    def score(self, features: np.ndarray) -> np.ndarray:
        """Squared distance of clipped features (n, d): float64 (n,), about d on ID."""
        values = scoring_features(features, self)
        return self.head_.score(self.standardiser_(values).clip(*self.limits_))
