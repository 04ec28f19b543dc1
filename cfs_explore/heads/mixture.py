"""A small Gaussian mixture (the paper's light GMM head)."""

from __future__ import annotations

from typing import Self

import numpy as np

from cfs_explore.heads.protocol import FeatureError, Standardiser, scoring_features, training_features


class Mixture:
    """Negative log-likelihood under a diagonal Gaussian mixture of standardised features.

    Args:
        components: number of Gaussians, from 1 to the number of training images.
        seed: of the k-means start; the same seed and data give the same scores.
    """

    name, title = "mixture", "Gaussian mixture"

    def __init__(self, *, components: int = 4, seed: int = 0):
        self.components = components
        self.seed = seed

    def fit(self, features: np.ndarray) -> Self:
        """Fit by EM (at most 300 steps, variances + 1e-6) to ID-train features (n >= components, d)."""
        from sklearn.mixture import GaussianMixture

        if self.components < 1:
            raise FeatureError(f"Mixture needs components >= 1. Got {self.components} instead.")
        values = training_features(features, minimum=max(self.components, 2))
        self.standardiser_ = Standardiser.fit(values)
        self.mixture_ = GaussianMixture(
            self.components, covariance_type="diag", reg_covar=1e-6, random_state=self.seed, max_iter=300
        ).fit(self.standardiser_(values))
        self.n_features_ = values.shape[1]
        return self

    def score(self, features: np.ndarray) -> np.ndarray:
        """Negative log-likelihood of features (n, d), in nats: float64 (n,); it may be negative."""
        values = scoring_features(features, self)
        return -self.mixture_.score_samples(self.standardiser_(values))
