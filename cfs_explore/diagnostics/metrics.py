"""AUROC, AUPR and FPR95 of one score with their intervals, and the paired comparison of two (theory 3)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cfs_explore.diagnostics.checks import ScoreError, require_level, score_vector
from cfs_explore.diagnostics.delong import delong
from cfs_explore.diagnostics.excess import Placed, paired_interval
from cfs_explore.diagnostics.groups import Groups, independent
from cfs_explore.diagnostics.intervals import auroc_interval, share_interval
from cfs_explore.diagnostics.precision_recall import average_precision, fpr95_interval, ranking


class Estimate(NamedTuple):
    """A value and its confidence limits."""

    value: float
    lo: float
    hi: float


class PairedDifference(NamedTuple):
    """A difference of two AUROCs, its confidence limits, and the two-sided p-value of "no difference"."""

    value: float
    lo: float
    hi: float
    p_value: float


def auroc(id_scores: np.ndarray, ood_scores: np.ndarray, level: float = 0.95, groups: Groups | None = None) -> Estimate:
    """AUROC, OOD positive, ties 1/2, with its interval (``intervals.auroc_interval``).

    Args:
        id_scores: (n_id,). ood_scores: (n_ood,). Higher = more OOD.
        groups: of the images; None where each is alone.

    Raises:
        ScoreError: not 1-D, empty, NaN or infinite.
    """
    require_level(level)
    id_scores, ood_scores = score_vector(id_scores, "id_scores"), score_vector(ood_scores, "ood_scores")
    value, var = delong(id_scores[None], ood_scores[None], groups)
    lo, hi = auroc_interval(value, var, *independent(groups, id_scores.size, ood_scores.size), level)
    return Estimate(float(value[0]), float(lo[0]), float(hi[0]))


def aupr(
    id_scores: np.ndarray,
    ood_scores: np.ndarray,
    positive: str = "ood",
    level: float = 0.95,
    groups: Groups | None = None,
) -> Estimate:
    """Average precision with its interval (``intervals.share_interval``).

    Args:
        id_scores: (n_id,). ood_scores: (n_ood,). Higher = more OOD.
        positive: "ood", or "id": then low scores are ranked first.
        groups: as for ``auroc``.

    Raises:
        ScoreError: not 1-D, empty, NaN or infinite; another ``positive``.
    """
    require_level(level)
    id_scores, ood_scores = score_vector(id_scores, "id_scores"), score_vector(ood_scores, "ood_scores")
    if positive == "id":
        id_scores, ood_scores = -ood_scores, -id_scores
        groups = None if groups is None else Groups(groups.ood, groups.id)
    elif positive != "ood":
        raise ScoreError(f"positive must be 'ood' or 'id'. Got {positive!r} instead.")
    value, var = average_precision(ranking(id_scores, ood_scores, groups))
    _, positives = independent(groups, id_scores.size, ood_scores.size)
    (lo,), (hi,) = share_interval(np.array([value]), np.array([var]), positives, level)
    return Estimate(value, float(lo), float(hi))


def fpr95(id_scores: np.ndarray, ood_scores: np.ndarray, level: float = 0.95, groups: Groups | None = None) -> Estimate:
    """ID false-positive rate at the highest threshold with at least 95 % OOD recall (``fpr95_interval``).

    Args:
        id_scores: (n_id,). ood_scores: (n_ood,). An image is flagged if its score reaches the threshold.
        groups: as for ``auroc``.

    Raises:
        ScoreError: not 1-D, empty, NaN or infinite.
    """
    require_level(level)
    id_scores, ood_scores = score_vector(id_scores, "id_scores"), score_vector(ood_scores, "ood_scores")
    return Estimate(*fpr95_interval(ranking(id_scores, ood_scores, groups), level))


def paired_auroc_difference(
    id_a: np.ndarray,
    ood_a: np.ndarray,
    id_b: np.ndarray,
    ood_b: np.ndarray,
    level: float = 0.95,
    groups: Groups | None = None,
) -> PairedDifference:
    """AUROC(a) - AUROC(b) of two scores of the same images, correlated as DeLong 1988 has it.

    The limits are recovered from those of both (MOVER), so that they hold near 1; p-values test "no difference" by
    DeLong's variance, that of normal scores where it is zero because a score separates perfectly or is constant.

    Args:
        id_a, id_b: (n_id >= 2,), the same images in the same order. ood_a, ood_b: (n_ood >= 2,), likewise.
        groups: as for ``auroc``.

    Raises:
        ScoreError: lengths that do not match, fewer than 2 images in a class, NaN or infinity.
    """
    require_level(level)
    id_pair, ood_pair = _paired(id_a, id_b, "id"), _paired(ood_a, ood_b, "ood")
    first, second = (Placed.of(id_pair[[k]], ood_pair[[k]], groups) for k in (0, 1))
    var = first.minus(second).judged.var
    lo, hi, p = paired_interval(first.judged, second.judged, var, *first.independent, level)
    value = first.judged.auroc - second.judged.auroc
    return PairedDifference(*(float(part[0]) for part in (value, lo, hi, p)))


def _paired(a: np.ndarray, b: np.ndarray, name: str) -> np.ndarray:
    """Stack two scores of the same images, (2, n)."""
    a, b = score_vector(a, f"{name}_a"), score_vector(b, f"{name}_b")
    if a.size != b.size or a.size < 2:
        raise ScoreError(
            f"{name}_a and {name}_b must score the same images, at least 2. Got {a.size} and {b.size} instead."
        )
    return np.stack([a, b])
