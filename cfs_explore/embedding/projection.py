"""Two coordinates for many: fitted on ID images alone, so that OOD images are placed among them and move none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from cfs_explore.embedding.errors import EmbeddingError

METHODS = ("pca", "umap")
#: UMAP's graph of neighbours says little of fewer images.
MIN_UMAP_IMAGES = 15
MIN_PCA_IMAGES = 3


@dataclass(frozen=True)
class Settings:
    """What decides the coordinates.

    Attributes:
        taps: names of kept taps.
        method: "pca" or "umap".
        neighbors: UMAP's n_neighbors: small for fine structure, large for coarse.
        min_dist: UMAP's least distance between points of the picture, 0 to 1.
        seed: of UMAP; the same seed gives the same coordinates with the same versions of umap-learn and numba.
    """

    taps: tuple[str, ...]
    method: Literal["pca", "umap"] = "pca"
    neighbors: int = 15
    min_dist: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise EmbeddingError(f"The 'method' of an embedding must be one of {METHODS}. Got {self.method!r} instead.")


class Projection(NamedTuple):
    """A fitted projection.

    Attributes:
        fitted: coordinates of the images that it was fitted on, float32 (n, 2).
        transform: features (m, d) -> coordinates (m, 2) of other images.
        explained: shares of the variance that PCA's two axes carry; empty for UMAP.
    """

    fitted: np.ndarray
    transform: Callable[[np.ndarray], np.ndarray]
    explained: tuple[float, ...]


def project(features: np.ndarray, settings: Settings) -> Projection:
    """Fit on ID features (n, d), by the settings' method.

    PCA is exact (scikit-learn). UMAP (McInnes et al. 2018) is seeded and hence single-threaded; it keeps
    neighbourhoods, and neither distances nor densities can be read from its picture.

    Raises:
        EmbeddingError: too few images.
    """
    return _pca(features) if settings.method == "pca" else _umap(features, settings)


def _pca(features: np.ndarray) -> Projection:
    from sklearn.decomposition import PCA

    n, d = features.shape
    _require(n, MIN_PCA_IMAGES, "PCA")
    model = PCA(n_components=2, svd_solver="covariance_eigh" if d <= n else "full")
    with np.errstate(invalid="ignore"):  # 0 / 0 where all images are the same
        model.fit(features.astype(np.float64))

    def transform(others: np.ndarray) -> np.ndarray:
        return model.transform(others.astype(np.float64)).astype(np.float32)

    shares = np.nan_to_num(model.explained_variance_ratio_)
    return Projection(transform(features), transform, tuple(float(share) for share in shares))


def _umap(features: np.ndarray, settings: Settings) -> Projection:
    _require(len(features), MIN_UMAP_IMAGES, "UMAP")
    if not 2 <= settings.neighbors < len(features):
        raise EmbeddingError(
            f"The 'neighbors' of UMAP must be from 2 to one less than the ID images ({len(features)}). "
            f"Got {settings.neighbors} instead."
        )
    from umap import UMAP

    model = UMAP(
        n_neighbors=settings.neighbors,
        min_dist=settings.min_dist,
        random_state=settings.seed,
        transform_seed=settings.seed,
        n_jobs=1,
    ).fit(features)
    return Projection(model.embedding_, model.transform, ())


def _require(n: int, least: int, method: str) -> None:
    if n < least:
        raise EmbeddingError(f"{method} needs at least {least} ID images to be fitted on. Got {n} instead.")
