"""The residual term of ViM (Wang et al. 2022, "ViM: Out-of-Distribution with Virtual-logit Matching")."""

from __future__ import annotations

from typing import Self

import numpy as np

from cfs_explore.heads.protocol import FeatureError, Standardiser, scoring_features, training_features


class PCAResidual:
    """Norm of the standardised features outside the principal subspace of ID-train.

    ViM centres at a point given by its classifier; a diffusion backbone has none, so the centre is the
    ID-train mean. ViM sets the dimension by hand (1000 of 2048, 512 of 768); snapshots have from tens to
    thousands of features, so the default is the smallest subspace that holds ``variance_share`` of the
    ID-train variance.

    Args:
        dimension: size of the principal subspace, from 0 to d - 1; None = chosen by ``variance_share``.
        variance_share: share of the variance inside the subspace, in (0, 1); used if ``dimension`` is None.

    Attributes:
        dimension_: size of the principal subspace, at most d - 1.
        residual_basis_: orthonormal basis of the rest, (d, d - dimension_).
    """

    name, title = "pca_residual", "PCA residual"

    def __init__(self, *, dimension: int | None = None, variance_share: float = 0.9):
        self.dimension = dimension
        self.variance_share = variance_share

    def fit(self, features: np.ndarray) -> Self:
        """Learn the principal subspace of ID-train features (n >= 2, d >= 2)."""
        values = training_features(features, minimum=2)
        if values.shape[1] < 2:
            raise FeatureError("PCAResidual needs at least 2 features: of one, nothing is left outside.")
        self.standardiser_ = Standardiser.fit(values)
        standard = self.standardiser_(values)
        eigenvalues, eigenvectors = np.linalg.eigh(standard.T @ standard / len(standard))  # ascending
        self.n_features_ = values.shape[1]
        self.dimension_ = self._choose_dimension(np.maximum(eigenvalues[::-1], 0.0))
        self.residual_basis_ = eigenvectors[:, : self.n_features_ - self.dimension_]
        return self

    def score(self, features: np.ndarray) -> np.ndarray:
        """Residual norm of features (n, d), in standard deviations: float64 (n,)."""
        values = scoring_features(features, self)
        return np.linalg.norm(self.standardiser_(values) @ self.residual_basis_, axis=1)

    def _choose_dimension(self, eigenvalues: np.ndarray) -> int:
        largest = eigenvalues.size - 1
        if self.dimension is not None:
            if not 0 <= self.dimension <= largest:
                raise FeatureError(f"dimension must be from 0 to d - 1 = {largest}. Got {self.dimension} instead.")
            return self.dimension
        if not 0 < self.variance_share < 1:
            raise FeatureError(f"variance_share must be between 0 and 1. Got {self.variance_share} instead.")
        inside = np.cumsum(eigenvalues)
        return min(int(np.searchsorted(inside, self.variance_share * inside[-1])) + 1, largest)
