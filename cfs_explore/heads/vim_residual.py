"""The residual of ViM with its own rule for the subspace (Wang et al. 2022; see ``pca_residual``)."""

from __future__ import annotations

import numpy as np

from cfs_explore.heads.pca_residual import PCAResidual


class ViMResidual(PCAResidual):
    """``PCAResidual`` whose principal subspace has half of the dimensions, as ViM takes it for d below 768.

    Without a classifier there are no logits that ViM would add to the residual. The variance decides the subspace of
    the PCA residual; here the number of features alone does.

    Args:
        dimension: size of the principal subspace, from 0 to d - 1; None = d // 2.
    """

    name, title = "vim_residual", "ViM residual"

    def __init__(self, *, dimension: int | None = None):
        super().__init__(dimension=dimension)

    def _choose_dimension(self, eigenvalues: np.ndarray) -> int:
        return eigenvalues.size // 2 if self.dimension is None else super()._choose_dimension(eigenvalues)
