"""How much of a snapshot, and of its score, is the image's own: one-way random effects over noise draws (theory 14).

ICC(1) of Shrout & Fleiss 1979 from the mean squares between images (MSB) and between the draws of an image (MSW):
the share of the variance of a single draw that different images explain. Snapshots have it per tap, with mean squares
summed over whitened features; scores have it per cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from cfs_explore.diagnostics.checks import ScoreError, require_finite, require_level
from cfs_explore.diagnostics.groups import Members
from cfs_explore.scoring import Moments, sum_per_tap


class Reliability(NamedTuple):
    """ICC and its confidence limits, arrays of one shape; NaN where nothing varies, or where there is one draw."""

    icc: np.ndarray
    lo: np.ndarray
    hi: np.ndarray


def icc(msb: np.ndarray, msw: np.ndarray, draws: int) -> np.ndarray:
    """(MSB - MSW) / (MSB + (M - 1) MSW), elementwise; NaN where both are 0."""
    msb, msw = np.asarray(msb, dtype=np.float64), np.asarray(msw, dtype=np.float64)
    total = msb + (draws - 1) * msw
    return np.divide(msb - msw, total, out=np.full(total.shape, np.nan), where=total > 0)


def icc_interval(
    msb: np.ndarray,
    msw: np.ndarray,
    images: int,
    draws: int,
    level: float = 0.95,
    groups: Members | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Limits of ICC(1) by the F distribution of MSB / MSW (Shrout & Fleiss 1979).

    Exact for one normal feature. For mean squares summed over features the sum varies less than its single terms do,
    so that the interval is too wide rather than too narrow.

    Args:
        msb, msw: mean squares of one shape, with n - 1 and n (M - 1) degrees of freedom.
        images: n. draws: M.
        groups: of the images; their mean square then has the freedom of images that are all alike within a group.
    """
    require_level(level)
    if images < 2 or draws < 2 or (groups is not None and groups.count < 2):
        unknown = np.full(np.shape(msb), np.nan)
        return unknown, unknown.copy()
    from scipy.special import fdtri

    upper, between, within = 0.5 + level / 2, (groups.alike if groups else images) - 1, images * (draws - 1)
    return (
        icc(np.divide(msb, fdtri(between, within, upper)), msw, draws),
        icc(np.multiply(msb, fdtri(within, between, upper)), msw, draws),
    )


def feature_reliability(
    moments: Moments,
    variance: np.ndarray,
    columns: Mapping[str, slice],
    draws: int,
    level: float = 0.95,
    groups: Members | None = None,
) -> Reliability:
    """ICC of the whitened snapshots of each tap, (L, T) each, with the limits of ``icc_interval``.

    Args:
        moments: of one set, (L, feature). variance: of ID-train, floored, (L, feature).
        columns: tap -> slice of the feature axis, in tap order.
        draws: M.
        groups: of the images (theory 28).
    """
    images = moments.count // draws
    shape = (len(variance), len(columns))
    if draws < 2 or images < 2:
        return Reliability(*(np.full(shape, np.nan) for _ in range(3)))
    msb = sum_per_tap(moments.m2_between / variance, columns) / (images - 1)
    msw = sum_per_tap(moments.m2_within / variance, columns) / (images * (draws - 1))
    return Reliability(icc(msb, msw, draws), *icc_interval(msb, msw, images, draws, level, groups))


def score_reliability(scores: np.ndarray, level: float = 0.95, groups: Members | None = None) -> Reliability:
    """ICC of each cell's score, (L, T) each, with the limits of ``jackknife_icc``.

    Args:
        scores: (n, draws, L, T). groups: of the images (theory 28).

    Raises:
        ScoreError: another shape, no image, NaN or infinity.
    """
    scores = score_draws(scores)
    draws, shape = scores.shape[1], scores.shape[2:]
    if draws < 2:
        return Reliability(*(np.full(shape, np.nan) for _ in range(3)))
    parts = []
    for k in range(shape[0]):  # level by level: the whole map in float64 would be large
        values = scores[:, :, k].astype(np.float64)  # (image, draw, tap)
        of_image = values.mean(axis=1)
        between = np.square(of_image - of_image.mean(axis=0))
        within = np.square(values - of_image[:, None]).sum(axis=1)
        parts.append(jackknife_icc(between, within, draws, level, groups))
    return Reliability(*(np.stack(part) for part in zip(*parts, strict=True)))


def jackknife_icc(
    between: np.ndarray, within: np.ndarray, draws: int, level: float = 0.95, groups: Members | None = None
) -> Reliability:
    """ICC from what each image adds to the mean squares, with limits that need no normal distribution.

    The limits are those of ln(MSB / MSW) by the jackknife over images (Arvesen & Schmitz 1970), or over groups of them
    (of unequal size: Busing, Meijer & Van der Leeden 1999): scores are right-skewed and noisier where they are large,
    and there the F interval covers as little as 82 %.

    Args:
        between: squared distance of each image's mean over draws from the mean of all, (n, ...).
        within: squared distances of an image's draws from its mean, summed, (n, ...).
        draws: M.
        groups: of the images (theory 28).

    Returns:
        Arrays of shape (...).
    """
    n = len(between)
    if n < 2 or draws < 2:
        return Reliability(*(np.full(np.shape(between)[1:], np.nan) for _ in range(3)))
    msb, msw = draws * between.sum(axis=0) / (n - 1), within.sum(axis=0) / (n * (draws - 1))
    value = icc(msb, msw, draws)
    log_ratio, error = _jackknifed_log_ratio(between, within, draws, groups)
    from scipy.stats import t

    half = t.ppf(0.5 + level / 2, max((groups.count if groups else n) - 1, 1)) * error
    with np.errstate(over="ignore", invalid="ignore"):
        ratio_lo, ratio_hi = np.exp(log_ratio - half), np.exp(log_ratio + half)
        lo, hi = ((ratio - 1) / (ratio + draws - 1) for ratio in (ratio_lo, ratio_hi))
    certain = (msw == 0) & (msb > 0)  # every draw gives the same: no image left out changes that
    lo, hi = np.where(certain, 1.0, lo), np.where(certain | (np.isnan(hi) & np.isfinite(lo)), 1.0, hi)
    return Reliability(value, np.minimum(lo, value), np.maximum(hi, value))


def _jackknifed_log_ratio(
    between: np.ndarray, within: np.ndarray, draws: int, groups: Members | None
) -> tuple[np.ndarray, np.ndarray]:
    """Jackknife estimate of ln(MSB / MSW) and its standard error; NaN where a mean square is 0 or below 3 groups."""
    n, sizes = len(between), np.ones(len(between))
    if groups is not None:
        sizes = groups.sizes
        between, within = (
            groups.sums(part.reshape(n, -1).T).T.reshape(-1, *part.shape[1:]) for part in (between, within)
        )
    count = len(sizes)
    if count < 3:
        unknown = np.full(np.shape(between)[1:], np.nan)
        return unknown, unknown.copy()
    sums_between, sums_within = between.sum(axis=0), within.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = np.log(draws * (draws - 1) * n / (n - 1) * sums_between / sums_within)
        # Without an image the others' mean moves too: their squares fall by n / (n - 1) times its own, and alike
        # without a group whose images are alike.
        sizes = sizes.reshape(-1, *[1] * (between.ndim - 1))
        others = n - sizes
        left_between = sums_between - between * (n / others)
        left = np.log(draws * (draws - 1) * others / (others - 1) * left_between / (sums_within - within))
        estimate = count * whole - (others / n * left).sum(axis=0)
        # (pseudo-value - estimate)^2 / (n / size - 1), and a pseudo-value is n / size whole - (n / size - 1) left.
        pseudo = n / sizes * whole - others / sizes * left
        return estimate, np.sqrt((np.square(pseudo - estimate) * sizes / others).mean(axis=0))


def score_draws(scores: np.ndarray) -> np.ndarray:
    """Slot scores (n, draws, L, T) after checking shape and values."""
    scores = np.asarray(scores)
    if scores.ndim != 4 or 0 in scores.shape:
        raise ScoreError(
            f"scores must have shape (n_images, draws, levels, taps), none of them 0. Got shape {scores.shape} instead."
        )
    require_finite(scores, "scores")
    return scores
