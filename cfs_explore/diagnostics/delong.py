"""AUROC with its DeLong variance for many cells at once (DeLong et al. 1988; theory 3).

With m ID scores x and n OOD scores y, the placement of an OOD image is the share of ID images below it, that
of an ID image the share of OOD images above it (ties count 1/2). AUROC is the mean placement, and

    Var[AUROC] = Var[OOD placements] / n + Var[ID placements] / m      (sample variances, n - 1 and m - 1).

Sun & Xu 2014 get the placements from mid-ranks. Only their multiset is needed here, so no argsort is: the
scores are mapped to integers of the same order whose lowest bit says ID or OOD, the integers are sorted
(vectorised in numpy), and the position of the j-th OOD integer minus j is the number of ID images below it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cfs_explore.diagnostics.checks import ScoreError, require_finite, score_rows
from cfs_explore.diagnostics.groups import Groups
from cfs_explore.diagnostics.parallel import blocks, thread_map

#: Scores per block: the block's integers stay in a core's second-level cache.
_BLOCK = 1 << 17
#: Bits of a float64: all but the sign, and those of 2^-510 and 2^512.
_MAGNITUDE = (1 << 63) - 1
_SMALLEST = (1023 - 510) << 52
_LARGEST = (1023 + 512) << 52


class DeLong(NamedTuple):
    """AUROC and its variance, (cells,) each; the variance is NaN where a class has a single image."""

    auroc: np.ndarray
    var: np.ndarray


def delong(id_scores: np.ndarray, ood_scores: np.ndarray, groups: Groups | None = None) -> DeLong:
    """AUROC (OOD positive, ties 1/2) and DeLong variance of each cell; with groups, that of Obuchowski 1997.

    Args:
        id_scores: (cells, n_id). ood_scores: (cells, n_ood). Higher = more OOD; computed in float64.
        groups: of the images; None where each is alone.

    Raises:
        ScoreError: wrong shapes, an empty class, NaN or infinity.
    """
    id_rows, ood_rows = score_rows(id_scores, ood_scores)
    size = max(1, _BLOCK // (id_rows.shape[1] + ood_rows.shape[1]))
    parts = thread_map(lambda rows: _block(id_rows[rows], ood_rows[rows]), blocks(len(id_rows), size))
    if not parts:
        return DeLong(np.empty(0), np.empty(0))
    found = DeLong(*(np.concatenate(part) for part in zip(*parts, strict=True)))
    return found if groups is None else DeLong(found.auroc, groups.variance(*placements(id_rows, ood_rows)))


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


def delong_covariance(
    id_scores: np.ndarray, ood_scores: np.ndarray, groups: Groups | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """AUROC (k,) and their covariance (k, k) for k scores of the same images.

    Args:
        id_scores: (k, n_id >= 2). ood_scores: (k, n_ood >= 2). groups: as for ``delong``.
    """
    id_placements, ood_placements = placements(id_scores, ood_scores)
    m, n = id_placements.shape[1], ood_placements.shape[1]
    if min(m, n) < 2:
        raise ScoreError(f"A covariance needs at least 2 ID and 2 OOD images. Got {m} and {n} instead.")
    if groups is not None:
        return ood_placements.mean(axis=1), groups.covariance(id_placements, ood_placements)
    covariance = np.atleast_2d(np.cov(id_placements)) / m + np.atleast_2d(np.cov(ood_placements)) / n
    return ood_placements.mean(axis=1), covariance


def _block(id_rows: np.ndarray, ood_rows: np.ndarray) -> DeLong:
    m, n = id_rows.shape[1], ood_rows.shape[1]
    keys, inexact = _ordered_keys(id_rows, ood_rows)
    keys.sort(axis=1)
    # 1. Equal scores of an ID and an OOD image are neighbours that differ in the lowest bit alone.
    tied = ((keys[:, 1:] ^ keys[:, :-1]) == 1).any(axis=1)
    # 2. Twice the number of images of the other class below each image: ID first in ties, then OOD first.
    below = _opposites_below((keys & 1).astype(bool), n)
    id_first = [counts[tied] for counts in below]
    for counts in below:
        counts *= 2
    if tied.any():
        flipped = np.sort(keys[tied] ^ 1, axis=1)
        ood_first = _opposites_below((flipped & 1) == 0, n)
        for counts, first, second in zip(below, id_first, ood_first, strict=True):
            counts[tied] = first + second
    (id_below, id_squares), (_, ood_squares) = (_sum_and_squares(counts) for counts in below)
    auroc = id_below / (2 * m * n)
    var = _mean_variance(id_squares, n) / (2 * m) ** 2 + _mean_variance(ood_squares, m) / (2 * n) ** 2
    # 3. Scores of absurd size, for which the integers are not exact.
    if inexact.any():
        id_placements, ood_placements = placements(id_rows[inexact], ood_rows[inexact])
        auroc[inexact] = ood_placements.mean(axis=1)
        var[inexact] = sum(
            _mean_variance(part.var(axis=1) * part.shape[1], part.shape[1]) for part in (id_placements, ood_placements)
        )
    return DeLong(auroc, var)


def _ordered_keys(id_rows: np.ndarray, ood_rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Integers 2 v + (1 if OOD), v in the order of the pooled scores, (cells, m + n); where v is not exact.

    A float64's bits without the sign are in the order of its magnitude (IEEE 754). Exponents beyond 2^-510 ..
    2^512 are not used by real scores; without them one of the 64 bits is free for the label.
    """
    pooled = np.concatenate([id_rows, ood_rows], axis=1, dtype=np.float64)
    keys = pooled.view(np.int64)
    sign = keys >> 63  # 0 or -1
    keys &= _MAGNITUDE
    inexact = keys.max(axis=1) >= _LARGEST
    keys -= 1
    inexact |= keys.view(np.uint64).min(axis=1) < _SMALLEST - 1  # 0 - 1 is the largest
    if inexact.any():  # NaN and infinity have the largest exponent
        require_finite(np.concatenate([id_rows, ood_rows], axis=1), "scores")
    keys -= _SMALLEST - 2
    np.maximum(keys, 0, out=keys)  # zero is 0, the smallest magnitude 1
    keys <<= 1
    keys ^= sign
    keys -= sign  # negated where the sign is -1
    keys[:, id_rows.shape[1] :] |= 1
    return keys, inexact


def _opposites_below(is_ood: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """From sorted labels: ID images below each OOD one (cells, n), OOD below each ID one (cells, m)."""
    cells, total = is_ood.shape
    starts = np.arange(cells)[:, None] * total
    id_below = np.flatnonzero(is_ood).reshape(cells, n)
    ood_below = np.flatnonzero(~is_ood).reshape(cells, total - n)
    for below in (id_below, ood_below):
        below -= starts
        below -= np.arange(below.shape[1])
    return id_below, ood_below


def _share_below(reference: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Share of ``reference`` (m,) below each of ``scores`` (n,), ties 1/2."""
    ordered = np.sort(reference)
    below = np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")
    return below / (2 * ordered.size)


def _sum_and_squares(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum and sum of squared deviations of each row of whole numbers, (cells,) each; overwrites ``counts``.

    Exact up to a million images per class: squared around a whole number near the mean, in integers.
    """
    size = counts.shape[1]
    total = counts.sum(axis=1)
    centre = total // size
    counts -= centre[:, None]
    squares = np.einsum("ij,ij->i", counts, counts)
    return total, squares - size * (total / size - centre) ** 2


def _mean_variance(squares: np.ndarray, size: int) -> np.ndarray:
    """Variance of a mean of ``size`` values from their summed squared deviations; NaN for a single value."""
    return squares / (size * (size - 1)) if size > 1 else np.full(len(squares), np.nan)
