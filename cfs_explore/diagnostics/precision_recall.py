"""AUPR and FPR95 of many cells, with intervals that need no resampling (theory 3, 27)."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from cfs_explore.diagnostics.groups import Groups, Members, independent, variance_of_means
from cfs_explore.diagnostics.intervals import share_interval, wilson_interval
from cfs_explore.diagnostics.parallel import blocks, thread_map

#: Share of OOD images below the threshold of FPR95.
_MISSED = 0.05


class Ranking(NamedTuple):
    """One cell sorted by falling score.

    Attributes:
        id_above: ID images that score at least as high as the j-th OOD image, (n_ood,).
        ood_above: OOD images that score at least as high as it, (n_ood,).
        first_below: of each ID image in falling order, the first OOD image that it does not score below, (n_id,).
        groups: of the images in falling order; None where each is alone.
    """

    id_above: np.ndarray
    ood_above: np.ndarray
    first_below: np.ndarray
    groups: Groups | None = None


def ranking(id_scores: np.ndarray, ood_scores: np.ndarray, groups: Groups | None = None) -> Ranking:
    """Sort one cell: id_scores (n_id,), ood_scores (n_ood,), and their groups."""
    falling_id, falling_ood = np.sort(-id_scores), np.sort(-ood_scores)
    return Ranking(
        np.searchsorted(falling_id, falling_ood, "right"),
        np.searchsorted(falling_ood, falling_ood, "right"),
        np.searchsorted(falling_ood, falling_id, "left"),
        groups and groups.taken(*(np.argsort(-scores, kind="stable") for scores in (id_scores, ood_scores))),
    )


def average_precision(cell: Ranking) -> tuple[float, float]:
    """Average precision (OOD positive), as scikit-learn has it, and its variance.

    AP is the mean over OOD images of the precision at their score, a function of the two samples. Its variance is that
    of its first-order expansion in the weights of the images (the infinitesimal jackknife: Efron 1982), or of groups.
    """
    n = len(cell.id_above)
    m = len(cell.first_below)
    found = cell.ood_above + cell.id_above
    precision = cell.ood_above / found
    # 1. How AP changes with the weight of an OOD image: its own precision, and that of all images it scores above.
    gain = np.append(np.cumsum((cell.id_above / found**2)[::-1])[::-1], 0.0)
    equal_first = np.searchsorted(cell.ood_above, cell.ood_above, "left")  # first of the images that tie with the j-th
    by_ood = precision + gain[equal_first]
    # 2. And with that of an ID image.
    loss = np.append(np.cumsum((cell.ood_above / found**2)[::-1])[::-1], 0.0)
    by_id = loss[cell.first_below] * (m / n)
    return float(precision.mean()), float(variance_of_means(by_id[None], by_ood[None], cell.groups)[0])


def fpr95_interval(cell: Ranking, level: float = 0.95) -> tuple[float, float, float]:
    """ID false-positive rate at the highest threshold with at least 95 % OOD recall, and its limits.

    Two things are uncertain: where the threshold stands, which the order statistics of the OOD scores give (exact, and
    interpolated between them), and the share of ID images above it (Wilson); both are joined as MOVER does. Images in
    groups count as so many independent ones as estimate these shares as well (``Members.effective``).
    """
    n, m = len(cell.id_above), len(cell.first_below)
    shares = np.concatenate([[0.0], cell.id_above / m, [1.0]])  # at falling thresholds: above all, ..., below all
    value = shares[_needed(n)]
    n_apart, m_apart = _independent(cell, value)
    scale = (n + 1) / (n_apart + 1)
    high, low = (np.interp(n + 1 - scale * rank, np.arange(n + 2), shares) for rank in _threshold_ranks(n_apart, level))
    wilson_lo, wilson_hi = wilson_interval(value, m_apart, level)
    below = np.hypot(max(value - low, 0.0), value - wilson_lo)
    above = np.hypot(max(high - value, 0.0), wilson_hi - value)
    return float(value), float(max(value - below, 0.0)), float(min(value + above, 1.0))


def _independent(cell: Ranking, flagged: float) -> tuple[int, float]:
    """Independent OOD images behind the threshold, and ID images behind the share ``flagged`` above it."""
    n, m = len(cell.id_above), len(cell.first_below)
    if cell.groups is None:
        return n, m
    above_ood, above_id = np.arange(n) < _needed(n), np.arange(m) < round(flagged * m)
    of_ood = Members(cell.groups.ood).effective(above_ood[None])[0]
    return max(round(of_ood), 1), float(Members(cell.groups.id).effective(above_id[None])[0])


class Curves(NamedTuple):
    """AUPR (OOD positive), AUPR (ID positive), FPR95 and their limits, (cells,) each."""

    aupr: np.ndarray
    aupr_lo: np.ndarray
    aupr_hi: np.ndarray
    aupr_id: np.ndarray
    fpr95: np.ndarray
    fpr95_lo: np.ndarray
    fpr95_hi: np.ndarray


def curves(id_rows: np.ndarray, ood_rows: np.ndarray, level: float = 0.95, groups: Groups | None = None) -> Curves:
    """All of them for every cell.

    Args:
        id_rows: (cells, n_id). ood_rows: (cells, n_ood). Higher = more OOD.
        level: confidence.
        groups: of the images; None where each is alone.
    """
    found = np.empty((len(id_rows), 6))

    def some(rows: slice) -> None:
        for row in range(rows.start, rows.stop):
            cell, mirrored = ranking(id_rows[row], ood_rows[row], groups), ranking(-ood_rows[row], -id_rows[row])
            found[row] = *average_precision(cell), average_precision(mirrored)[0], *fpr95_interval(cell, level)

    thread_map(some, blocks(len(id_rows), max(1, -(-len(id_rows) // 8))))
    aupr, var, aupr_id, *fpr95 = found.T
    _, positives = independent(groups, id_rows.shape[1], ood_rows.shape[1])
    return Curves(aupr, *share_interval(aupr, var, positives, level), aupr_id, *fpr95)


def _needed(n: int) -> int:
    """The smallest number of n images that is at least 95 %."""
    return -(-19 * n // 20)


@lru_cache(maxsize=64)
def _threshold_ranks(n: int, level: float) -> tuple[float, float]:
    """Ranks from below, 0..n + 1, between which the 5 % quantile lies with this confidence.

    The share of a population below the j-th of n images is Beta(j, n + 1 - j); j is taken as a real number.
    """

    from scipy import optimize, special

    def rank(tail: float) -> float:
        def excess(j: float) -> float:
            return float(special.betainc(j, n + 1 - j, _MISSED)) - tail

        least = 1e-9
        return 0.0 if excess(least) < 0 else float(optimize.brentq(excess, least, n + 1 - least))

    return rank((1 + level) / 2), rank((1 - level) / 2)
