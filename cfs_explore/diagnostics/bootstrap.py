"""AUPR and FPR95 of reweighted samples, and their stratified bootstrap over many cells (theory 3).

A bootstrap resample is a vector of multinomial counts per class, so each cell is sorted once and a resample
costs two cumulative sums. All cells share the resamples: their intervals are comparable, and the seed alone
decides them.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from cfs_explore.diagnostics.parallel import blocks, thread_map

#: Counts per class and block of resamples: three such arrays stay in a core's cache.
_BLOCK = 1 << 16


class Ranking(NamedTuple):
    """One cell sorted by falling score.

    Attributes:
        id_order, ood_order: image positions by falling score, (n_id,) and (n_ood,).
        id_above: number of ID images that score at least as high as the j-th OOD image, (n_ood,).
        run_end: last position of the OOD images that tie with the j-th, (n_ood,).
    """

    id_order: np.ndarray
    ood_order: np.ndarray
    id_above: np.ndarray
    run_end: np.ndarray


class Curves(NamedTuple):
    """AUPR (OOD positive) and FPR95, (..., resamples) each."""

    aupr: np.ndarray
    fpr95: np.ndarray


def ranking(id_scores: np.ndarray, ood_scores: np.ndarray) -> Ranking:
    """Sort one cell: id_scores (n_id,), ood_scores (n_ood,)."""
    falling_id, falling_ood = -id_scores, -ood_scores
    id_order, ood_order = np.argsort(falling_id), np.argsort(falling_ood)
    sorted_id, sorted_ood = falling_id[id_order], falling_ood[ood_order]
    return Ranking(
        id_order,
        ood_order,
        np.searchsorted(sorted_id, sorted_ood, "right"),
        np.searchsorted(sorted_ood, sorted_ood, "right") - 1,
    )


def weighted_curves(cell: Ranking, id_weights: np.ndarray, ood_weights: np.ndarray) -> Curves:
    """AUPR and FPR95 under image weights, (resamples,) each.

    AUPR is the average precision sum_j (share of OOD at j) x (precision at j's score), as scikit-learn has
    it. FPR95 is the share of ID images at or above the highest threshold that keeps at least 95 % of the OOD
    images.

    Args:
        id_weights: (n_id, resamples), each column summing to n_id. ood_weights: (n_ood, resamples), likewise.
    """
    n_id, n_ood = len(id_weights), len(ood_weights)
    found = ood_weights[cell.ood_order]  # (n_ood, resamples)
    true_positives = np.cumsum(found, axis=0)
    false_positives = np.zeros((n_id + 1, id_weights.shape[1]), dtype=id_weights.dtype)
    np.cumsum(id_weights[cell.id_order], axis=0, out=false_positives[1:])

    needed = -(-19 * n_ood // 20)  # the smallest count that is at least 95 %, in whole numbers
    threshold = (true_positives < needed).sum(axis=0)
    fpr95 = false_positives[cell.id_above[threshold], np.arange(threshold.size)] / n_id

    if (cell.run_end[:-1] != np.arange(n_ood - 1)).any():
        true_positives = true_positives[cell.run_end]
    precision = false_positives[cell.id_above]
    precision += true_positives
    np.maximum(precision, 1, out=precision)  # 0 only where no image has weight yet
    np.divide(true_positives, precision, out=precision)
    aupr = np.einsum("jb,jb->b", found, precision) / n_ood
    return Curves(aupr, fpr95)


def point_curves(cell: Ranking) -> tuple[float, float]:
    """AUPR and FPR95 of the sample itself."""
    curves = weighted_curves(cell, np.ones((len(cell.id_order), 1)), np.ones((len(cell.ood_order), 1)))
    return float(curves.aupr[0]), float(curves.fpr95[0])


def bootstrap_curves(cells: list[Ranking], resamples: int, seed: int) -> Curves:
    """AUPR and FPR95 of every cell in every resample, (cells, resamples) each.

    ID and OOD images are drawn with replacement separately. Counts are float32, exact below 2^24 images.
    """
    n_id, n_ood = len(cells[0].id_order), len(cells[0].ood_order)
    rng = np.random.default_rng(seed)
    aupr, fpr95 = np.empty((len(cells), resamples)), np.empty((len(cells), resamples))
    for columns in blocks(resamples, max(1, _BLOCK // max(n_id, n_ood))):
        count = columns.stop - columns.start
        id_weights, ood_weights = resample_counts(n_id, count, rng), resample_counts(n_ood, count, rng)

        def one_group(rows: slice, columns=columns, weights=(id_weights, ood_weights)) -> None:
            for row in range(rows.start, rows.stop):
                aupr[row, columns], fpr95[row, columns] = weighted_curves(cells[row], *weights)

        thread_map(one_group, blocks(len(cells), max(1, -(-len(cells) // 8))))
    return Curves(aupr, fpr95)


def percentile_interval(
    values: np.ndarray, resampled: np.ndarray, n: int, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile limits, (cells,) each, that contain the value.

    Where every resample gives the same number (perfect separation), the resamples say nothing: there it is
    the Wilson interval of a proportion of n images (Boyd et al. 2013 read AUPR as one, with n = positives;
    FPR95 is one, with n = n_id).

    Args:
        values: (cells,). resampled: (cells, resamples).
    """
    tail = (1 - level) / 2
    lo, hi = np.quantile(resampled, [tail, 1 - tail], axis=1)
    lo, hi = np.minimum(lo, values), np.maximum(hi, values)
    constant = lo == hi
    wilson_lo, wilson_hi = wilson_interval(values, n, level)
    return np.where(constant, wilson_lo, lo), np.where(constant, wilson_hi, hi)


def wilson_interval(share: np.ndarray, n: int, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Limits of a proportion of n images (Wilson 1927), of the shape of ``share``."""
    z2 = NormalDist().inv_cdf(0.5 + level / 2) ** 2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return np.clip(np.minimum(centre - half, share), 0, 1), np.clip(np.maximum(centre + half, share), 0, 1)


def resample_counts(n: int, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """How often each of n images is drawn in each resample: float32 (n, resamples)."""
    drawn = rng.integers(0, n, size=(resamples, n)) + np.arange(resamples)[:, None] * n
    counts = np.bincount(drawn.ravel(), minlength=resamples * n).reshape(resamples, n)
    return np.ascontiguousarray(counts.T, dtype=np.float32)
