"""Where images lie in snapshot space: features, two coordinates to draw them by, and nearest neighbours.

``features`` standardises kept snapshots, ``projection`` fits PCA or UMAP on ID images and places the others,
``stored`` keeps coordinates in the run directory, ``neighbours`` looks in all dimensions. No torch; scikit-learn and
UMAP load when a function needs them.
"""

from cfs_explore.embedding.errors import EmbeddingError
from cfs_explore.embedding.features import snapshot_features
from cfs_explore.embedding.neighbours import Mixing, mixing, nearest
from cfs_explore.embedding.projection import MIN_PCA_IMAGES, MIN_UMAP_IMAGES, Projection, Settings, project
from cfs_explore.embedding.stored import coordinates, is_stored

__all__ = [
    "MIN_PCA_IMAGES",
    "MIN_UMAP_IMAGES",
    "EmbeddingError",
    "Mixing",
    "Projection",
    "Settings",
    "coordinates",
    "is_stored",
    "mixing",
    "nearest",
    "project",
    "snapshot_features",
]
