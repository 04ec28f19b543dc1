"""Neighbours in snapshot space: all dimensions, exact."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cfs_explore.diagnostics.groups import Groups, Members
from cfs_explore.diagnostics.intervals import wilson_interval
from cfs_explore.embedding.errors import EmbeddingError


class Mixing(NamedTuple):
    """How far an OOD set lies among the ID images (the nearest-neighbour statistic of Schilling 1986, on OOD alone).

    Attributes:
        share: of the OOD images whose nearest other image, of both sets, is an ID image.
        lo, hi: Wilson 95 % limits, images taken as independent but for groups (theory 28).
        chance: the share expected if both sets came from one distribution, n_id / (n_id + n_ood - 1).
        n_id, n_ood: images.
    """

    share: float
    lo: float
    hi: float
    chance: float
    n_id: int
    n_ood: int


def nearest(features_id: np.ndarray, feature: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest ID images of one image, nearest first; ties in the order of the rows.

    Args:
        features_id: (n, d). feature: (d,). k: at most n are returned.

    Returns:
        Rows of ``features_id``, and Euclidean distances, float64; both (min(k, n),).
    """
    difference = features_id.astype(np.float64) - feature.astype(np.float64)
    distances = np.sqrt(np.einsum("ij,ij->i", difference, difference))
    order = np.argsort(distances, kind="stable")[:k]
    return order, distances[order]


def mixing(
    features_id: np.ndarray, features_ood: np.ndarray, level: float = 0.95, groups: Groups | None = None
) -> Mixing:
    """Share of the OOD images whose nearest other image is an ID image; a tie counts for OOD.

    Args:
        features_id: (n_id, d). features_ood: (n_ood, d), n_ood >= 2.
        groups: of the images; None where each is alone.

    Raises:
        EmbeddingError: fewer than two OOD images.
    """
    n_id, n_ood = len(features_id), len(features_ood)
    if n_ood < 2:
        raise EmbeddingError(f"Whether sets mix takes at least two OOD images. Got {n_ood} instead.")
    from sklearn.neighbors import NearestNeighbors

    to_id, _ = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(features_id).kneighbors(features_ood)
    to_ood, _ = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(features_ood).kneighbors()  # itself left out
    among = (to_id < to_ood).ravel()
    share = float(among.mean())
    apart = n_ood if groups is None else Members(groups.ood).effective(among[None])[0]
    lo, hi = wilson_interval(np.array(share), apart, level)
    return Mixing(share, float(lo), float(hi), n_id / (n_id + n_ood - 1), n_id, n_ood)
