"""AUROC, AUPR and FPR95 of one score with their intervals, and the paired comparison of two (theory 3)."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from cfs_explore.diagnostics.bootstrap import bootstrap_curves, percentile_interval, point_curves, ranking
from cfs_explore.diagnostics.checks import ScoreError, require_level, score_vector
from cfs_explore.diagnostics.delong import auroc_interval, delong, hanley_mcneil, placements


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


def auroc(id_scores: np.ndarray, ood_scores: np.ndarray, level: float = 0.95) -> Estimate:
    """AUROC, OOD positive, ties 1/2, with the interval of DeLong 1988 clipped to [0, 1].

    Perfect separation and constant scores get the interval of ``delong.auroc_interval`` instead of width 0.

    Args:
        id_scores: (n_id,). ood_scores: (n_ood,). Higher = more OOD.

    Raises:
        ScoreError: not 1-D, empty, NaN or infinite.
    """
    require_level(level)
    id_scores, ood_scores = score_vector(id_scores, "id_scores"), score_vector(ood_scores, "ood_scores")
    value, var = delong(id_scores[None], ood_scores[None])
    lo, hi = auroc_interval(value, var, id_scores.size, ood_scores.size, level)
    return Estimate(float(value[0]), float(lo[0]), float(hi[0]))


def aupr(
    id_scores: np.ndarray,
    ood_scores: np.ndarray,
    positive: str = "ood",
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Average precision with its bootstrap percentile interval.

    Args:
        id_scores: (n_id,). ood_scores: (n_ood,). Higher = more OOD.
        positive: "ood", or "id": then low scores are ranked first.

    Raises:
        ScoreError: not 1-D, empty, NaN or infinite; another ``positive``.
    """
    id_scores, ood_scores = score_vector(id_scores, "id_scores"), score_vector(ood_scores, "ood_scores")
    if positive == "id":
        id_scores, ood_scores = -ood_scores, -id_scores
    elif positive != "ood":
        raise ScoreError(f"positive must be 'ood' or 'id'. Got {positive!r} instead.")
    return _bootstrapped(id_scores, ood_scores, "aupr", level, resamples, seed)


def fpr95(
    id_scores: np.ndarray, ood_scores: np.ndarray, level: float = 0.95, resamples: int = 1000, seed: int = 0
) -> Estimate:
    """ID false-positive rate at the highest threshold with at least 95 % OOD recall, with bootstrap interval.

    Args:
        id_scores: (n_id,). ood_scores: (n_ood,). An image is flagged if its score reaches the threshold.

    Raises:
        ScoreError: not 1-D, empty, NaN or infinite.
    """
    id_scores, ood_scores = score_vector(id_scores, "id_scores"), score_vector(ood_scores, "ood_scores")
    return _bootstrapped(id_scores, ood_scores, "fpr95", level, resamples, seed)


def paired_auroc_difference(
    id_a: np.ndarray, ood_a: np.ndarray, id_b: np.ndarray, ood_b: np.ndarray, level: float = 0.95
) -> PairedDifference:
    """AUROC(a) - AUROC(b) of two scores of the same images, by DeLong 1988.

    Where the difference has no sampling variance because a score separates perfectly (or is constant), the
    interval joins the two single ones (MOVER, Zou & Donner 2008) and the p-value rests on the Hanley-McNeil
    variance.

    Args:
        id_a, id_b: (n_id >= 2,), the same images in the same order. ood_a, ood_b: (n_ood >= 2,), likewise.

    Raises:
        ScoreError: lengths that do not match, fewer than 2 images in a class, NaN or infinity.
    """
    require_level(level)
    id_pair = _paired(id_a, id_b, "id")
    ood_pair = _paired(ood_a, ood_b, "ood")
    m, n = id_pair.shape[1], ood_pair.shape[1]
    id_placements, ood_placements = placements(id_pair, ood_pair)
    aurocs = ood_placements.mean(axis=1)
    value = float(aurocs[0] - aurocs[1])
    var = float(np.var(np.subtract(*id_placements), ddof=1) / m + np.var(np.subtract(*ood_placements), ddof=1) / n)
    own = np.var(id_placements, axis=1) + np.var(ood_placements, axis=1)
    if var == 0 and (own == 0).any():
        return _degenerate_difference(aurocs, m, n, level)
    if var == 0:  # the two rank all images alike
        return PairedDifference(value, value, value, 1.0)
    half = NormalDist().inv_cdf(0.5 + level / 2) * math.sqrt(var)
    return PairedDifference(value, max(value - half, -1.0), min(value + half, 1.0), _two_sided(value, var))


def _bootstrapped(
    id_scores: np.ndarray, ood_scores: np.ndarray, metric: str, level: float, resamples: int, seed: int
) -> Estimate:
    """One metric of ``Curves`` with its percentile interval."""
    require_level(level)
    if resamples < 2:
        raise ScoreError(f"resamples must be at least 2. Got {resamples} instead.")
    cell = ranking(id_scores, ood_scores)
    values = dict(zip(("aupr", "fpr95"), point_curves(cell), strict=True))
    resampled = bootstrap_curves([cell], resamples, seed)._asdict()[metric]
    n = {"aupr": ood_scores.size, "fpr95": id_scores.size}[metric]
    lo, hi = percentile_interval(np.array([values[metric]]), resampled, n, level)
    return Estimate(values[metric], float(lo[0]), float(hi[0]))


def _paired(a: np.ndarray, b: np.ndarray, name: str) -> np.ndarray:
    """Stack two scores of the same images, (2, n)."""
    a, b = score_vector(a, f"{name}_a"), score_vector(b, f"{name}_b")
    if a.size != b.size or a.size < 2:
        raise ScoreError(
            f"{name}_a and {name}_b must score the same images, at least 2. Got {a.size} and {b.size} instead."
        )
    return np.stack([a, b])


def _degenerate_difference(aurocs: np.ndarray, m: int, n: int, level: float) -> PairedDifference:
    lo, hi = auroc_interval(aurocs, np.zeros(2), m, n, level)
    value = float(aurocs[0] - aurocs[1])
    below = math.hypot(aurocs[0] - lo[0], hi[1] - aurocs[1])
    above = math.hypot(hi[0] - aurocs[0], aurocs[1] - lo[1])
    null_var = 2 * float(hanley_mcneil(np.float64(0.5), m, n))
    return PairedDifference(value, max(value - below, -1.0), min(value + above, 1.0), _two_sided(value, null_var))


def _two_sided(value: float, var: float) -> float:
    return math.erfc(abs(value) / math.sqrt(2 * var))
