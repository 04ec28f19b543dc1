"""Confidence limits that hold near 0 and 1, for few images and for unequal sets (theory 27).

A Wald interval, estimate -+ z sd, claims certainty where a sample happens to be perfect, and jumps when one image
changes its rank. These are score intervals instead: they hold every value t that the estimate p does not reject,

    (p - t)^2 <= z^2 V(t),

where V(t) is the variance that the estimate would have if t were true. How V depends on t is taken from a model, its
size from the sample; where the sample has too few informative images to estimate its size, the model's own is used.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import TypeVar

import numpy as np

#: A number, or one per row.
Column = TypeVar("Column", np.ndarray, float)

#: The model's own variance counts as much as this many informative images.
_PRIOR_IMAGES = 2.0
_STEPS = 12


def limited(name: str, value: Column, lo: Column, hi: Column) -> dict[str, Column]:
    """Columns of a value and of its limits, as every table calls them."""
    return {name: value, f"{name}_lo": lo, f"{name}_hi": hi}


def auroc_interval(
    auroc: np.ndarray, var: np.ndarray, n_id: int, n_ood: int, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Confidence limits of AUROC, (cells,) each, within [0, 1].

    The score interval (compare Newcombe 2006, method 5) whose variance depends on AUROC as with normal scores of equal
    variance, ``normal_variance``, and has the size of DeLong's. The informative images are those of the smaller class
    that are on the wrong side of half of the other: about 2 n min(AUROC, 1 - AUROC).

    Args:
        auroc, var: (cells,), with DeLong's variance or that of clustered images; NaN where it is unknown.
        n_id, n_ood: number of images, or of their groups (theory 28): what is independent.
        level: confidence.
    """
    auroc, var = np.atleast_1d(np.asarray(auroc, dtype=float)), np.atleast_1d(np.asarray(var, dtype=float))
    return auroc_limits(auroc, var, n_id, n_ood, z_of(level))


def auroc_limits(
    auroc: np.ndarray, var: np.ndarray, n_id: int, n_ood: int, z: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray]:
    """``auroc_interval`` at a normal quantile, or one for each cell."""
    informative = 2 * min(n_id, n_ood) * np.minimum(auroc, 1 - auroc)
    size = relative_size(var, normal_variance(auroc, n_id, n_ood), informative)
    return score_interval(auroc, lambda true: size * normal_variance(true, n_id, n_ood), z)


def share_interval(value: np.ndarray, var: np.ndarray, n: int, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Limits of a mean of n shares that lie near 1, such as average precision; (cells,) each.

    Wilson's interval (1927) of a proportion whose variance has the size of ``var``, with Student's quantile, since n
    images determine that size.

    Args:
        value, var: (cells,), the mean and its variance; NaN where it is unknown.
        n: positive images, or their groups.
        level: confidence.
    """
    from scipy import special

    value, var = np.atleast_1d(value), np.atleast_1d(var)
    size = relative_size(var, value * (1 - value) / n, 2 * n * (1 - value))
    return _wilson(value, n / size, special.stdtrit(max(n - 1, 1), 0.5 + level / 2))


def wilson_interval(share: np.ndarray, n: np.ndarray | int, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Limits of a proportion of n images (Wilson 1927), of the shape of ``share``."""
    return _wilson(share, n, z_of(level))


def _wilson(share: np.ndarray, n: np.ndarray | int, z: float) -> tuple[np.ndarray, np.ndarray]:
    z2 = z**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return np.clip(np.minimum(centre - half, share), 0, 1), np.clip(np.maximum(centre + half, share), 0, 1)


def score_interval(
    value: np.ndarray, variance: Callable[[np.ndarray], np.ndarray], z: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray]:
    """The values in [0, 1] that are not rejected, as their smallest and largest, (cells,) each.

    Args:
        value: estimates, (cells,).
        variance: of the estimates under true values (cells,).
        z: normal quantile of the confidence.
    """

    def rejected(true: np.ndarray) -> np.ndarray:
        return np.abs(value - true) - z * np.sqrt(variance(true))

    return find_root(rejected, value, np.zeros_like(value)), find_root(rejected, value, np.ones_like(value))


def find_root(function: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Where a function goes from below 0 to above, (cells,); ``high`` where it never is above (Illinois: Dowell 1971).

    Args:
        function: of (cells,), in the order from ``low`` to ``high``, whichever is larger.
        low, high: of the bracket, (cells,).
    """
    low, high = low.astype(float), high.astype(float)
    at_low, at_high = function(low), function(high)
    edge, side, middle = np.where(at_low >= 0, low, high), np.zeros(low.shape), low
    inside = (at_low < 0) & (at_high > 0)
    for _ in range(_STEPS):
        rise = np.where(inside, at_high - at_low, 1)
        middle = np.where(inside, (low * at_high - high * at_low) / rise, edge)
        found = function(middle)
        above = found > 0
        # The end that stays twice counts half, or it would stay for ever.
        at_low = np.where(above, np.where(side > 0, at_low / 2, at_low), found)
        at_high = np.where(above, found, np.where(side < 0, at_high / 2, at_high))
        low, high = np.where(above, low, middle), np.where(above, middle, high)
        side = np.where(above, 1, -1)
    return middle


def mover_limits(
    values: tuple[np.ndarray, np.ndarray],
    limits: tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
    correlation: np.ndarray | float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Limits of first - second, recovered from those of both (MOVER: Zou 2007, Zou & Donner 2008).

    Args:
        values: both estimates.
        limits: (lo, hi) of either.
        correlation: of the estimates; 0 for different images.
    """
    (first, second), ((lo_1, hi_1), (lo_2, hi_2)) = values, limits
    below = _joined(first - lo_1, hi_2 - second, correlation)
    above = _joined(hi_1 - first, second - lo_2, correlation)
    return first - second - below, first - second + above


def z_of(level: float) -> float:
    """The normal quantile of a two-sided confidence."""
    return NormalDist().inv_cdf(0.5 + level / 2)


def normal_variance(auroc: np.ndarray, n_id: int, n_ood: int) -> np.ndarray:
    """Variance of AUROC where the scores of both classes are normal with equal variances.

    The variance of the placements is P(two ID images below one OOD image) - AUROC^2, the same for the other class,
    and the former is that of two normal variables with correlation 1/2 (Owen 1956, function T).
    """
    from scipy import special

    auroc = np.clip(auroc, 1e-15, 1 - 1e-15)
    placements = auroc - 2 * special.owens_t(special.ndtri(auroc), 3**-0.5) - auroc**2
    return (auroc * (1 - auroc) + (n_id + n_ood - 2) * np.maximum(placements, 0)) / (n_id * n_ood)


def relative_size(var: np.ndarray, model: np.ndarray, informative: np.ndarray) -> np.ndarray:
    """Measured over the model's variance, drawn towards 1 where few images determine it."""
    valid = (model > 0) & np.isfinite(var)
    ratio = np.divide(var, model, out=np.ones_like(model), where=valid)
    weight = np.where(valid, informative, 0.0)
    return (weight * ratio + _PRIOR_IMAGES) / (weight + _PRIOR_IMAGES)


def _joined(a: np.ndarray, b: np.ndarray, correlation: np.ndarray | float) -> np.ndarray:
    return np.sqrt(np.maximum(a**2 + b**2 - 2 * correlation * a * b, 0))
