"""Diagonal-score separation of every cell: what Delta is made of, and what it predicts (theory 10 to 13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cfs_explore.contracts import Level, Tap
from cfs_explore.diagnostics.auroc_map import cell_columns
from cfs_explore.diagnostics.channels import Contributions, channel_contributions, participation_ratio
from cfs_explore.diagnostics.checks import ScoreError, cell_rows, score_maps
from cfs_explore.diagnostics.delong import delong
from cfs_explore.diagnostics.groups import (
    Groups,
    Members,
    independent,
    mean_variance,
    sample_variance,
    variance_of_means,
)
from cfs_explore.diagnostics.intervals import auroc_interval, limited, z_of
from cfs_explore.diagnostics.predicted_auroc import cantelli_bound, normal_prediction
from cfs_explore.scoring import Moments, feature_columns, mean_per_tap, sum_per_tap

_Z = z_of(0.95)


def separation_table(
    moments: tuple[Moments, Moments, Moments],
    scores: tuple[np.ndarray, np.ndarray],
    levels: Sequence[Level],
    taps: Sequence[Tap],
    pair_squares: tuple[np.ndarray, int] | None = None,
    groups: Groups | None = None,
) -> pd.DataFrame:
    """One row per cell of one OOD set; every interval is a 95 % one.

    Args:
        moments: of ID-train, ID-test and the OOD set, (level, feature), at these levels and taps.
        scores: slot scores of ID-test and the OOD set, (image, draw, level, tap).
        levels, taps: the L levels and T taps.
        pair_squares: sums (level, tap) and number of pairs of ID-test (``Run.pair_squares``); None where unknown.
        groups: of the images of ID-test and the OOD set; None where each is alone.

    Returns:
        L x T rows, levels outermost: the columns of ``separation`` (``studies.separation``) but ``ood``. Variances
        divide by n - 1; the interval of var_ratio takes var_gauss as known. NaN where a set has one image, or the
        scores do not vary.

    Raises:
        ScoreError: shapes that do not match, NaN or infinity.
    """
    train, id_test, ood = moments
    id_scores, ood_scores = score_maps(*scores)
    if id_scores.shape[2:] != (len(levels), len(taps)):
        raise ScoreError(
            f"The scores have {id_scores.shape[2:]} levels and taps. Got {len(levels)} levels and {len(taps)} taps."
        )
    columns = feature_columns(taps)
    parts = channel_contributions(train, id_test, ood, columns)
    shift, change = (sum_per_tap(part, columns).ravel() for part in parts)
    id_rows, ood_rows = cell_rows(id_scores), cell_rows(ood_scores)
    var_id, var_ood = (sample_variance(rows) for rows in (id_rows, ood_rows))
    n_id, n_ood = id_rows.shape[1], ood_rows.shape[1]
    delta = shift + change
    apart = independent(groups, n_id, n_ood)
    half = _welch_half(id_rows, ood_rows, groups)
    alike = (n_id, n_ood) if groups is None else (Members(groups.id).alike, Members(groups.ood).alike)
    shift_half = _mean_shift_half(train, id_test, ood, alike, columns).ravel()
    value, var = delong(id_rows, ood_rows, groups)
    lo, hi = auroc_interval(value, var, *apart)
    return cell_columns(levels, taps).assign(
        **_interval("delta", delta, half),
        **_interval("mean_shift", shift, shift_half),
        **_interval("variance_change", change, half + shift_half),
        var_id=var_id,
        var_ood=var_ood,
        predicted=normal_prediction(delta, var_id, var_ood),
        bound=cantelli_bound(delta, var_id, var_ood),
        auroc=value,
        lo=lo,
        hi=hi,
        participation_ratio=_participation(parts, columns).ravel(),
        d=np.tile([2 * tap.channels for tap in taps], len(levels)),
        **_fluctuation(train, id_scores, columns, pair_squares, groups),
        n_id=n_id,
        n_ood=n_ood,
        draws=id_scores.shape[1],
    )


def effective_dimension(
    sums: np.ndarray, pairs: int, trace: np.ndarray, d: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Effective dimension, and the variance of a single-draw score of Gaussian features (theory 11).

    The mean of squared inner products of independent whitened snapshots is an unbiased estimate of tr(S^2), S their
    covariance. Whitened by their own variances S is the correlation matrix R and tr(S^2) = |R|_F^2; here ID-train
    whitens ID-test, so that equality of the two distributions is assumed, up to sampling error. Then
    Var[s] = 2 |R|_F^2 / d^2, and d_eff = (tr R)^2 / |R|_F^2: theory (11), with dead features (variance at the floor,
    zero rows of R) not counted.

    Args:
        sums, pairs: summed squares and the number of ordered pairs. trace: tr R, the number of features that are not
            dead, at most d. d: number of features.

    Returns:
        d_eff (clipped to [1, trace]; the estimate may stray beyond by chance) and 2 |R|_F^2 / d^2; NaN both where the
        estimate is not positive or rests on no pair.
    """
    sums, trace, d = (np.asarray(values, dtype=np.float64) for values in (sums, trace, d))
    squares = np.where((sums > 0) & (pairs > 0), sums, np.nan) / max(pairs, 1)
    dimension = np.clip(trace**2 / squares, np.minimum(1.0, trace), trace)
    return np.where(trace > 0, dimension, np.nan), 2 * squares / d**2


def _fluctuation(
    train: Moments,
    id_scores: np.ndarray,
    columns: Mapping[str, slice],
    pair_squares: tuple[np.ndarray, int] | None,
    groups: Groups | None,
) -> dict[str, np.ndarray]:
    """d_eff, var_gauss and var_ratio with its interval, (cells,) each."""
    shape = id_scores.shape[2:]
    sums, pairs = pair_squares if pair_squares is not None else (np.full(shape, np.nan), 0)
    if np.shape(sums) != shape:
        raise ScoreError(f"pair_squares must have sums of shape {shape} (level, tap). Got {np.shape(sums)} instead.")
    trace = sum_per_tap(train.m2 / train.count / train.variance, columns)
    d = np.array([c.stop - c.start for c in columns.values()])
    dimension, expected = effective_dimension(sums, pairs, trace, d)
    measured, error = (np.empty(shape) for _ in range(2))
    for k in range(shape[0]):  # level by level: the whole map in float64 would be large
        values = id_scores[:, :, k].astype(np.float64)  # (image, draw, tap)
        squares = np.square(values - values.mean(axis=(0, 1))).mean(axis=1)  # an image's share of the variance
        measured[k] = squares.mean(axis=0)
        of_mean = mean_variance if groups is None else Members(groups.id).variance
        error[k] = np.sqrt(of_mean(squares.T))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = measured / expected
        spread = np.exp(_Z * error / measured)  # on the log scale: a variance is skewed
    fields = {"d_eff": dimension, "var_gauss": expected, **limited("var_ratio", ratio, ratio / spread, ratio * spread)}
    return {name: values.ravel() for name, values in fields.items()}


def _mean_shift_half(
    train: Moments, id_test: Moments, ood: Moments, counts: tuple[float, float], columns: Mapping[str, slice]
) -> np.ndarray:
    """Half-width of an interval of the mean shift that holds for any correlation of the features, (level, tap).

    The correlation of the sampling errors of the feature means is not stored. They add up at most as if all moved
    together: |(m + e - mu)^2 - (m - mu)^2| <= 2 |m - mu| z se + (z se)^2, with se the standard error of m over images
    (draws of one image are no further images; ``counts`` has groups as if their images were all alike). The sets are
    independent; mu and v are taken as known.
    """
    v, halves = train.variance, []
    for moments, n in zip((id_test, ood), counts, strict=True):
        if n < 2:
            return np.full((len(v), len(columns)), np.nan)
        reach = _Z * np.sqrt(moments.m2_between / moments.count / (n - 1))  # of the variance of image means
        change = (2 * np.abs(moments.mean - train.mean) * reach + reach**2) / v
        halves.append(mean_per_tap(change, columns))
    return np.hypot(*halves)


def _welch_half(id_rows: np.ndarray, ood_rows: np.ndarray, groups: Groups | None) -> np.ndarray:
    """Half-width of Welch's interval of a difference of means; NaN where nothing varies or a set has one image."""
    from scipy.special import stdtrit

    n_id, n_ood = independent(groups, id_rows.shape[1], ood_rows.shape[1])
    if min(n_id, n_ood) < 2:
        return np.full(len(id_rows), np.nan)
    single = (mean_variance, mean_variance)
    if groups is not None:
        single = Members(groups.id).variance, Members(groups.ood).variance
    one, other = single[0](id_rows), single[1](ood_rows)
    total = variance_of_means(-id_rows, ood_rows, groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = (one + other) ** 2 / (one**2 / (n_id - 1) + other**2 / (n_ood - 1))
    return np.where(total > 0, stdtrit(freedom, 0.975) * np.sqrt(total), np.nan)


def _interval(name: str, value: np.ndarray, half: np.ndarray) -> dict[str, np.ndarray]:
    return limited(name, value, value - half, value + half)


def _participation(parts: Contributions, columns: Mapping[str, slice]) -> np.ndarray:
    total = parts.total
    return np.stack([participation_ratio(total[:, c]) for c in columns.values()], axis=1)
