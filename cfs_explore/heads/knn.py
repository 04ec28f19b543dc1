"""k nearest neighbours (the paper's k-NN head; Sun et al. 2022 use the k-th distance alone)."""

from __future__ import annotations

from typing import Self

import numpy as np

from cfs_explore.heads.protocol import FeatureError, Standardiser, scoring_features, training_features


class KNN:
    """Mean Euclidean distance to the k nearest ID-train images, after standardising each feature.

    Args:
        k: number of neighbours, from 1 to the number of training images.
    """

    name, title = "knn", "k-nearest neighbours"

    def __init__(self, *, k: int = 10):
        self.k = k

    def fit(self, features: np.ndarray) -> Self:
        """Index ID-train features (n >= k, d)."""
        from sklearn.neighbors import NearestNeighbors

        if self.k < 1:
            raise FeatureError(f"KNN needs k >= 1. Got k = {self.k} instead.")
        values = training_features(features, minimum=max(self.k, 2))
        self.standardiser_ = Standardiser.fit(values)
        self.index_ = NearestNeighbors(n_neighbors=self.k).fit(self.standardiser_(values))
        self.n_features_ = values.shape[1]
        return self

    def score(self, features: np.ndarray) -> np.ndarray:
        """Mean distance of features (n, d) to their k neighbours, in standard deviations: float64 (n,)."""
        values = scoring_features(features, self)
        distances, _ = self.index_.kneighbors(self.standardiser_(values))  # (n, k)
        return distances.mean(axis=1)
