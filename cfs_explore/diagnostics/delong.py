"""AUROC with its DeLong variance for many cells at once (DeLong et al. 1988; theory 3).

With m ID scores x and n OOD scores y, the placement of an OOD image is the share of ID images below it, that of an ID
image the share of OOD images above it (ties count 1/2). AUROC is the mean placement, and

    Var[AUROC] = Var[OOD placements] / n + Var[ID placements] / m      (sample variances, n - 1 and m - 1).

Sun & Xu 2014 get the placements from mid-ranks. Only their multiset is needed here, so no argsort is: the scores are
mapped to integers of the same order whose lowest bit says ID or OOD, the integers are sorted (vectorised in numpy),
and the position of the j-th OOD integer minus j is the number of ID images below it.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from cfs_explore.diagnostics.checks import ScoreError, require_finite, score_rows
from cfs_explore.diagnostics.parallel import blocks, thread_map

#: Scores per block: the block's integers stay in a core's second-level cache.
_BLOCK = 1 << 17
_MAGNITUDE = np.int64(0x7FFF_FFFF_FFFF_FFFF)


class DeLong(NamedTuple):
    """AUROC and its variance, (cells,) each; the variance is NaN where a class has a single image."""

    auroc: np.ndarray
    var: np.ndarray


def delong(id_scores: np.ndarray, ood_scores: np.ndarray) -> DeLong:
    """AUROC (OOD positive, ties 1/2) and DeLong variance of each cell.

    Args:
        id_scores: (cells, n_id). ood_scores: (cells, n_ood). Higher = more OOD; computed in float64.

    Raises:
        ScoreError: wrong shapes, an empty class, NaN or infinity.
    """
    id_rows, ood_rows = score_rows(id_scores, ood_scores)
    size = max(1, _BLOCK // (id_rows.shape[1] + ood_rows.shape[1]))
    parts = thread_map(lambda rows: _block(id_rows[rows], ood_rows[rows]), blocks(len(id_rows), size))
    if not parts:
        return DeLong(np.empty(0), np.empty(0))
    return DeLong(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def placements(id_scores: np.ndarray, ood_scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Placement of every image: (cells, n_id) and (cells, n_ood), in the order of the images.

    The slower way, by binary search; needed where the same images are compared between cells.
    """
    id_rows, ood_rows = score_rows(id_scores, ood_scores)
    require_finite(id_rows, "id_scores")
    require_finite(ood_rows, "ood_scores")
    id_placements, ood_placements = np.empty(id_rows.shape), np.empty(ood_rows.shape)
    for cell, (id_row, ood_row) in enumerate(zip(id_rows, ood_rows, strict=True)):
        ood_placements[cell] = _share_below(id_row, ood_row)
        id_placements[cell] = 1 - _share_below(ood_row, id_row)
    return id_placements, ood_placements


def delong_covariance(id_scores: np.ndarray, ood_scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """AUROC (k,) and their covariance (k, k) for k scores of the same images.

    Args:
        id_scores: (k, n_id >= 2). ood_scores: (k, n_ood >= 2).
    """
    id_placements, ood_placements = placements(id_scores, ood_scores)
    m, n = id_placements.shape[1], ood_placements.shape[1]
    if min(m, n) < 2:
        raise ScoreError(f"A covariance needs at least 2 ID and 2 OOD images. Got {m} and {n} instead.")
    covariance = np.atleast_2d(np.cov(id_placements)) / m + np.atleast_2d(np.cov(ood_placements)) / n
    return ood_placements.mean(axis=1), covariance


def auroc_interval(
    auroc: np.ndarray, var: np.ndarray, n_id: int, n_ood: int, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Confidence limits of AUROC, (cells,) each, within [0, 1].

    AUROC -+ z sqrt(var). Where the variance is 0 or unknown (perfect separation, a constant score, a single image)
    that would claim certainty, so there the score interval of Newcombe 2006 (method 5) is given, which rests on the
    variance of Hanley & McNeil 1982: perfect separation of 64 from 64 images gives [0.970, 1].
    """
    z = NormalDist().inv_cdf(0.5 + level / 2)
    auroc, var = np.atleast_1d(auroc), np.atleast_1d(var)
    degenerate = ~(var > 0)
    half = z * np.sqrt(np.where(degenerate, 0.0, var))
    lo, hi = np.clip(auroc - half, 0, 1), np.clip(auroc + half, 0, 1)
    if degenerate.any():
        lo[degenerate] = _newcombe_lower(auroc[degenerate], n_id, n_ood, z)
        hi[degenerate] = 1 - _newcombe_lower(1 - auroc[degenerate], n_id, n_ood, z)
    return lo, hi


def hanley_mcneil(auroc: np.ndarray, n_id: int, n_ood: int) -> np.ndarray:
    """Variance of AUROC under negative-exponential scores, symmetrised in the class sizes (Newcombe 2006)."""
    pairs = (n_id + n_ood) / 2 - 1
    bracket = 1 + pairs * (1 - auroc) / (2 - auroc) + pairs * auroc / (1 + auroc)
    return auroc * (1 - auroc) * bracket / (n_id * n_ood)


def _newcombe_lower(auroc: np.ndarray, n_id: int, n_ood: int, z: float) -> np.ndarray:
    """Smallest A that is not rejected: the root below ``auroc`` of auroc - A = z sqrt(V(A)), by bisection."""
    lo, hi = np.zeros_like(auroc), auroc.copy()
    for _ in range(60):
        middle = (lo + hi) / 2
        rejected = auroc - middle > z * np.sqrt(hanley_mcneil(middle, n_id, n_ood))
        lo, hi = np.where(rejected, middle, lo), np.where(rejected, hi, middle)
    return lo


def _block(id_rows: np.ndarray, ood_rows: np.ndarray) -> DeLong:
    m, n = id_rows.shape[1], ood_rows.shape[1]
    keys, rounded = _ordered_keys(id_rows, ood_rows)
    keys.sort(axis=1)
    # 1. Equal scores of an ID and an OOD image are neighbours that differ in the lowest bit alone.
    tied = ((keys[:, 1:] ^ keys[:, :-1]) == 1).any(axis=1)
    # 2. Twice the number of images of the other class below each image; in ties ID is sorted first, then OOD first.
    is_ood = (keys & 1).astype(bool)
    id_below, ood_below = _opposites_below(is_ood, n)
    if tied.any():
        keys ^= 1
        keys.sort(axis=1)
        for total, part in zip((id_below, ood_below), _opposites_below((keys & 1) == 0, n), strict=True):
            total += part
    else:
        id_below *= 2
        ood_below *= 2
    auroc = id_below.sum(axis=1) / (2 * m * n)
    var = _mean_variance(id_below / (2 * m)) + _mean_variance(ood_below / (2 * n))
    # 3. Where the lowest bit was needed to tell scores apart, the seeming ties may not be ties.
    for row in np.flatnonzero(tied & rounded):
        id_placements, ood_placements = placements(id_rows[row, None], ood_rows[row, None])
        auroc[row] = ood_placements.mean()
        var[row] = (_mean_variance(id_placements) + _mean_variance(ood_placements))[0]
    return DeLong(auroc, var)


def _ordered_keys(id_rows: np.ndarray, ood_rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Integers in the order of the pooled scores, lowest bit 1 = OOD, (cells, m + n); and which rows were rounded."""
    pooled = np.concatenate([id_rows, ood_rows], axis=1, dtype=np.float64)
    require_finite(pooled, "scores")
    pooled += 0.0  # -0.0 and 0.0 are the same score
    keys = pooled.view(np.int64)
    rounded = (np.bitwise_or.reduce(keys, axis=1) & 1).astype(bool)
    keys ^= (keys >> 63) & _MAGNITUDE  # IEEE 754: negative numbers are ordered by falling magnitude
    keys &= -2
    keys[:, id_rows.shape[1] :] |= 1
    return keys, rounded


def _opposites_below(is_ood: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """ID images below each OOD image (cells, n), and OOD images below each ID image (cells, m), from sorted labels."""
    cells, total = is_ood.shape
    starts = np.arange(cells)[:, None] * total
    id_below = np.flatnonzero(is_ood).reshape(cells, n) - (starts + np.arange(n))
    ood_below = np.flatnonzero(~is_ood).reshape(cells, total - n) - (starts + np.arange(total - n))
    return id_below, ood_below


def _share_below(reference: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Share of ``reference`` (m,) below each of ``scores`` (n,), ties 1/2."""
    ordered = np.sort(reference)
    below = np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")
    return below / (2 * ordered.size)


def _mean_variance(values: np.ndarray) -> np.ndarray:
    """Variance of each row's mean, (cells,); NaN for a single column."""
    count = values.shape[1]
    if count < 2:
        return np.full(len(values), np.nan)
    centred = values - values.mean(axis=1, keepdims=True)
    return np.einsum("ij,ij->i", centred, centred) / (count * (count - 1))
