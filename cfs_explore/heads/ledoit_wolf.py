"""Mahalanobis distance with a shrunk covariance (Lee et al. 2018; Ledoit & Wolf 2004)."""

from __future__ import annotations

from typing import Self

import numpy as np

from cfs_explore.heads.protocol import Standardiser, scoring_features, training_features


class LedoitWolf:
    """Squared Mahalanobis distance to ID-train under the Ledoit-Wolf covariance of standardised features.

    Attributes:
        shrinkage_: weight of the identity in the covariance, 0..1.
        precision_: inverse covariance, (d, d).
    """

    name, title = "ledoit_wolf", "Ledoit-Wolf Mahalanobis"

    def fit(self, features: np.ndarray) -> Self:
        """Learn mean and covariance from ID-train features (n >= 2, d)."""
        from sklearn.covariance import LedoitWolf as Shrunk

        values = training_features(features, minimum=2)
        self.standardiser_ = Standardiser.fit(values)
        shrunk = Shrunk().fit(self.standardiser_(values))
        self.location_, self.precision_ = shrunk.location_, shrunk.precision_
        self.shrinkage_ = float(shrunk.shrinkage_)
        self.n_features_ = values.shape[1]
        return self

    def score(self, features: np.ndarray) -> np.ndarray:
        """Squared distance of features (n, d): float64 (n,), about d on ID."""
        values = scoring_features(features, self)
        centred = self.standardiser_(values) - self.location_
        return np.einsum("ij,ij->i", centred @ self.precision_, centred)
