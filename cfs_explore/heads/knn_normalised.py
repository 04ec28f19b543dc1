"""k nearest neighbours as published: the k-th distance between features of length 1 (Sun et al. 2022)."""

from __future__ import annotations

from typing import Self

import numpy as np

from cfs_explore.heads.protocol import FeatureError, scoring_features, training_features

#: Added to lengths, as in the authors' code, so that a feature vector of zeros stays one.
_LENGTH_FLOOR = 1e-10


class NormalisedKNN:
    """Euclidean distance to the k-th nearest ID-train image after dividing every image's features by their length.

    Only the direction of the features counts: neither a factor common to all of them nor an image's own changes it.
    ``KNN`` standardises each feature instead and takes the mean of the k distances.

    Args:
        k: which neighbour, at least 1; the farthest where ID-train has fewer images.

    Attributes:
        k_: the neighbour that was taken.
    """

    name, title = "knn_normalised", "Normalised k-NN"

    def __init__(self, *, k: int = 50):
        self.k = k

    def fit(self, features: np.ndarray) -> Self:
        """Index ID-train features (n >= 2, d)."""
        from sklearn.neighbors import NearestNeighbors

        if self.k < 1:
            raise FeatureError(f"NormalisedKNN needs k >= 1. Got k = {self.k} instead.")
        values = training_features(features, minimum=2)
        self.k_ = min(self.k, len(values))
        self.index_ = NearestNeighbors(n_neighbors=self.k_).fit(_directions(values))
        self.n_features_ = values.shape[1]
        return self

    def score(self, features: np.ndarray) -> np.ndarray:
        """Distance of features (n, d) to their k-th neighbour, 0 to 2: float64 (n,)."""
        values = scoring_features(features, self)
        distances, _ = self.index_.kneighbors(_directions(values))  # (n, k), rising
        return distances[:, -1]


def _directions(values: np.ndarray) -> np.ndarray:
    return values / (np.linalg.norm(values, axis=1, keepdims=True) + _LENGTH_FLOOR)
