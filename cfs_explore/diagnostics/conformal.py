"""How unusual an image's score is among ID-test: conformal p-values and thresholds with a known false-alarm rate.

A split-conformal p-value (Vovk, Gammerman & Shafer 2005, "Algorithmic Learning in a Random World", ch. 4; Bates,
Candes, Lei, Romano & Sesia 2023, "Testing for outliers with conformal p-values", Ann. Statist. 51) needs one thing: an
ID image and those of ID-test are exchangeable, and the detector was not chosen by their scores. No distribution is
assumed. Where images of ID-test belong together (theory 28), its groups are what is exchangeable: each counts as one,
its images in equal parts (Lee, Barber & Willett 2023, "Distribution-free inference with hierarchical data").
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from cfs_explore.diagnostics.checks import ScoreError, require_level, score_vector
from cfs_explore.diagnostics.groups import Members
from cfs_explore.diagnostics.metrics import Estimate

#: Rates times image counts are whole numbers up to this.
_ROUNDING = 1e-9


class Alarm(NamedTuple):
    """A threshold for a false-alarm rate, and what it does on ID-test.

    Attributes:
        rate: what was asked for.
        threshold: images that score above it are flagged; infinite where ``rate`` is below 1 / (n_id + 1).
        expected: the rate on average over ID-test sets, for scores without ties: the largest multiple of
            1 / (n_id + 1) within ``rate``. Ties make it smaller.
        flagged: ID-test images above the threshold.
        n_id: images of ID-test.
        realised: flagged / n_id with the limits of Clopper and Pearson 1934. For scores without ties they hold the
            threshold's true rate with at least their level although the same images set the threshold: the true rate
            is Beta(flagged + 1, n_id - flagged), whose quantiles they enclose (Vovk 2012, "Conditional validity of
            inductive conformal predictors"). With groups, as many independent images as would estimate it as well take
            the place of n_id (Korn & Graubard 1998).
        groups: how many groups the ID-test images form; n_id where each is alone.
        effective: how many independent images would estimate the realised rate as well.
    """

    rate: float
    threshold: float
    expected: float
    flagged: int
    n_id: int
    realised: Estimate
    groups: int
    effective: float


def conformal_p_values(id_scores: np.ndarray, scores: np.ndarray, groups: Members | None = None) -> np.ndarray:
    """p = (1 + #{ID-test scores >= s}) / (n_id + 1) of each score s; in groups, where each image has its group.

    For an ID image, P(p <= alpha) <= alpha for every alpha, on average over ID-test sets; equality at multiples of
    1 / (n_id + 1) without ties.

    Args:
        id_scores: (n_id,), of images that fitted no statistics. scores: (n,). Higher = more OOD.
        groups: of the ID images; None where each is alone.

    Returns:
        float64 (n,), from 1 / (n_id + 1) to 1.

    Raises:
        ScoreError: not 1-D, empty, NaN or infinite.
    """
    reference, scores = np.sort(score_vector(id_scores, "id_scores")), score_vector(scores, "scores")
    tail = _tail(id_scores, groups)
    return (1 + tail[np.searchsorted(reference, scores, "left")]) / (tail[0] + 1)


def id_percentiles(id_scores: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Share of ID-test scores below each score, in percent; equal ones count half.

    Args, Raises: as for ``conformal_p_values``.
    """
    reference, scores = np.sort(score_vector(id_scores, "id_scores")), score_vector(scores, "scores")
    below, up_to = (np.searchsorted(reference, scores, side) for side in ("left", "right"))
    return 50.0 * (below + up_to) / reference.size


def alarm(id_scores: np.ndarray, rate: float, level: float = 0.95, groups: Members | None = None) -> Alarm:
    """The lowest threshold above which an image has a conformal p-value of at most ``rate``.

    Args:
        id_scores: (n_id,).
        rate: expected share of ID images above the threshold, 0 <= rate < 1.
        level: of the interval of the realised rate.
        groups: of the ID images; None where each is alone.

    Raises:
        ScoreError: as for ``conformal_p_values``; a rate or level out of range.
    """
    reference = score_vector(id_scores, "id_scores")
    if not 0 <= rate < 1:
        raise ScoreError(f"rate must be at least 0 and below 1, for example 0.05. Got {rate} instead.")
    n_id, tail = reference.size, _tail(reference, groups)
    count = round(tail[0])
    possible = np.flatnonzero(1 + tail[1:] <= rate * (count + 1) + _ROUNDING)
    threshold = float(np.sort(reference)[possible[0]]) if possible.size else math.inf
    expected = float(1 + tail[possible[0] + 1]) / (count + 1) if possible.size else 0.0
    hits = reference > threshold
    flagged, effective = int(hits.sum()), n_id if groups is None else float(groups.effective(hits[None])[0])
    realised = clopper_pearson(flagged * effective / n_id, effective, level)
    return Alarm(rate, threshold, expected, flagged, n_id, realised, count, effective)


def false_alarms(n: int, found: Alarm, level: float = 0.95, groups: Members | None = None) -> Estimate:
    """How many of n images would be flagged if all were ID: mean, and the central range of ``level``.

    The count is beta-binomial, because the threshold's true rate is a Beta variable over ID-test sets (``Alarm``);
    exact without ties, and with them too large rather than too small.

    Args:
        n: images, at least 1. found: the threshold.
        groups: of these images, which then count as all alike within a group.
    """
    require_level(level)
    if n < 1:
        raise ScoreError(f"n must be at least 1 image. Got {n} instead.")
    first, second = (share * (found.effective + 1) for share in (found.expected, 1 - found.expected))
    if first == 0:
        return Estimate(0.0, 0.0, 0.0)
    from scipy.stats import betabinom  # slow to import

    units = n if groups is None else max(round(groups.alike), 1)
    lo, hi = betabinom(units, first, second).ppf([(1 - level) / 2, (1 + level) / 2]) * (n / units)
    return Estimate(n * found.expected, float(lo), float(hi))


def _tail(id_scores: np.ndarray, groups: Members | None) -> np.ndarray:
    """How many ID images, or groups of them, are from each place of the sorted scores on, (n_id + 1,)."""
    if groups is None:
        return np.arange(len(id_scores), -1, -1)
    shares = (1 / groups.sizes[groups.places])[np.argsort(id_scores, kind="stable")]
    return np.append(np.cumsum(shares[::-1])[::-1], 0.0)


def clopper_pearson(count: float, n: float, level: float = 0.95) -> Estimate:
    """A proportion with its exact limits (Clopper & Pearson 1934).

    Raises:
        ScoreError: a count outside 0..n, no image, or a level out of range.
    """
    require_level(level)
    if n < 1 or not 0 <= count <= n:
        raise ScoreError(f"count must lie between 0 and n, and n be at least 1. Got {count} of {n} instead.")
    from scipy.special import betaincinv  # slow to import

    tail = (1 - level) / 2
    lo = float(betaincinv(count, n - count + 1, tail)) if count else 0.0
    hi = float(betaincinv(count + 1, n - count, 1 - tail)) if count < n else 1.0
    return Estimate(count / n, lo, hi)


def adjusted_p_values(p_values: np.ndarray) -> np.ndarray:
    """Step-up adjusted p-values (Benjamini & Hochberg 1995), in the given order.

    The images whose adjusted p-value is at most q are, on average, ID in at most a share q of the cases; this holds for
    conformal p-values although one ID-test set makes them depend on each other, positively (Bates et al. 2023).

    Args:
        p_values: (n,), each in (0, 1].

    Raises:
        ScoreError: not 1-D, empty, NaN, or outside (0, 1].
    """
    p = score_vector(p_values, "p_values")
    if p.min() <= 0 or p.max() > 1:
        raise ScoreError(f"p_values must lie in (0, 1]. Got values from {p.min():g} to {p.max():g} instead.")
    order = np.argsort(p, kind="stable")
    raised = p[order] * p.size / np.arange(1, p.size + 1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0)
    return adjusted


def discovery_rate(p_values: np.ndarray, fdr: float) -> float:
    """The false-alarm rate whose threshold flags what Benjamini and Hochberg flag at a false discovery rate ``fdr``.

    Args:
        p_values: conformal ones, (n,). fdr: 0 < fdr < 1.

    Returns:
        The largest p-value that is flagged, for ``alarm``; 0.0 where none is.
    """
    if not 0 < fdr < 1:
        raise ScoreError(f"fdr must be between 0 and 1, for example 0.1. Got {fdr} instead.")
    adjusted = adjusted_p_values(p_values)
    found = np.asarray(p_values, dtype=np.float64)[adjusted <= fdr * (1 + _ROUNDING)]
    return float(found.max()) if found.size else 0.0


def triage(id_scores: np.ndarray, scores: np.ndarray, threshold: float, groups: Members | None = None) -> pd.DataFrame:
    """One row per image, in the given order: score, percentile (within ID-test), p_value, flagged.

    Args:
        id_scores: (n_id,). scores: (n,). threshold: of ``alarm``; images above it are flagged.
        groups: of the ID images; None where each is alone.
    """
    return pd.DataFrame(
        {
            "score": score_vector(scores, "scores"),
            "percentile": id_percentiles(id_scores, scores),
            "p_value": conformal_p_values(id_scores, scores, groups),
            "flagged": np.asarray(scores, dtype=np.float64) > threshold,
        }
    )
