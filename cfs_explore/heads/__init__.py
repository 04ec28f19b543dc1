"""Heads: from pooled snapshots to one score per image (theory 3 and the list after it).

``fit(features (n, d)) -> self`` on ID-train, ``score(features) -> (n,)`` float64, higher = more OOD. Learned
attributes end in ``_``. scikit-learn is imported by the heads that need it, when they are fitted.
"""

from cfs_explore.heads.diagonal import Diagonal
from cfs_explore.heads.knn import KNN
from cfs_explore.heads.ledoit_wolf import LedoitWolf
from cfs_explore.heads.mixture import Mixture
from cfs_explore.heads.pca_residual import PCAResidual
from cfs_explore.heads.protocol import FeatureError, Head

#: Every head by the name that specs and tables use.
REGISTRY: dict[str, type[Head]] = {
    "diag": Diagonal,
    "knn": KNN,
    "ledoit_wolf": LedoitWolf,
    "mixture": Mixture,
    "pca_residual": PCAResidual,
}

__all__ = ["KNN", "REGISTRY", "Diagonal", "FeatureError", "Head", "LedoitWolf", "Mixture", "PCAResidual"]
