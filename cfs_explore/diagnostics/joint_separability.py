"""What two scores separate together, alone, given each other, and as their plain average (theory 5 to 7)."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import pandas as pd

from cfs_explore.diagnostics.bootstrap import RESAMPLES
from cfs_explore.diagnostics.checks import ScoreError, require_finite, require_level, score_rows
from cfs_explore.diagnostics.groups import Groups, weights
from cfs_explore.diagnostics.intervals import limited
from cfs_explore.diagnostics.parallel import blocks

#: A variance below this share of its own scale is rounding: the score is constant, or a copy of the other.
_ROUNDING = 1e-12
#: Resampled moments in memory at a time.
_BLOCK = 1 << 21
#: Resamples whose weights are in memory at a time.
_AT_ONCE = 500
#: Weights that are kept, in bytes: those of some thousand images.
_KEPT = 1 << 26
#: An interval from fewer usable resamples than this share of them would be invented.
_USABLE = 0.5


class Separability(NamedTuple):
    """Theory (5) to (7) of encoder score e and decoder score d; every field has the same shape, (...,).

    Every distance but the joint one is the square of a shift of the class means in standard deviations. The
    shifts are kept with their sign: a resampled square is never below 0, a resampled shift may be.

    Attributes:
        d2: squared Mahalanobis distance of the class means, joint (5).
        alone_e, alone_d: shift of one score; D2_e, D2_d are the squares (5).
        shift_d, shift_e: of the decoder given the encoder, in its residual standard deviations, and the other
            way round; the conditional gains are the squares (6). Below 0 the OOD images lie lower than the
            other score predicts, which no plain average can use.
        average: of the plain average; D2_avg is the square (7).
        rest: of the decoder given the plain average: its square is D2 - D2_avg, what the average leaves.
    """

    d2: np.ndarray
    alone_e: np.ndarray
    alone_d: np.ndarray
    shift_d: np.ndarray
    shift_e: np.ndarray
    average: np.ndarray
    rest: np.ndarray


def separability(delta: np.ndarray, covariance: np.ndarray) -> Separability:
    """Theory (5) to (7) from class moments; NaN where a variance that divides is zero.

    Args:
        delta: (..., 2), OOD mean minus ID mean of (encoder, decoder).
        covariance: (..., 2, 2), S, the mean of the two classes' covariances.
    """
    delta_e, delta_d = delta[..., 0], delta[..., 1]
    s_ee, s_dd, s_de = covariance[..., 0, 0], covariance[..., 1, 1], covariance[..., 0, 1]
    delta_a, s_aa, s_da = delta_e + delta_d, s_ee + s_dd + 2 * s_de, s_dd + s_de
    s_aa = np.where(s_aa > _ROUNDING * (s_ee + s_dd), s_aa, np.nan)
    alone_e, shift_d = _alone_and_given(delta_e, delta_d, s_ee, s_dd, s_de)
    alone_d, shift_e = _alone_and_given(delta_d, delta_e, s_dd, s_ee, s_de)
    average, rest = _alone_and_given(delta_a, delta_d, s_aa, s_dd, s_da)
    return Separability(alone_e**2 + shift_d**2, alone_e, alone_d, shift_d, shift_e, average, rest)


def _alone_and_given(
    delta_x: np.ndarray, delta_y: np.ndarray, s_xx: np.ndarray, s_yy: np.ndarray, s_xy: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Shift of x, and of what x does not predict of y, each in its standard deviations."""
    s_xx = np.where(s_xx > 0, s_xx, np.nan)
    slope = s_xy / s_xx
    left = s_yy - slope * s_xy
    left = np.where(left > _ROUNDING * s_yy, left, np.nan)
    return delta_x / np.sqrt(s_xx), (delta_y - slope * delta_x) / np.sqrt(left)


def joint_separability(
    id_e: np.ndarray,
    id_d: np.ndarray,
    ood_e: np.ndarray,
    ood_d: np.ndarray,
    *,
    groups: Groups | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Theory (5) to (7) of many pairs of scores, with stratified-bootstrap intervals from weighted moments.

    The interval of a distance is that of its shift, squared: a shift of unknown sign gives a distance from 0
    on, which percentiles of the distance itself could not. The joint D2 has no one shift: it gets the
    bias-corrected percentiles of Efron 1981, from 0 on where neither part, D2_e nor the decoder's gain, is
    clear of 0. In the same way the share that the average realises reaches 1 where nothing is clearly left.

    Args:
        id_e, id_d: (pairs, n_id), encoder and decoder scores of the same images. ood_e, ood_d: (pairs, n_ood).
        groups: of the images, which are drawn together; None where each is alone.

    Returns:
        One row per pair, the columns of ``complementarity`` (``studies.complementarity``) from d2 to avg_beats_d. NaN
        where a class has one image or a score is constant or a copy of the other.

    Raises:
        ScoreError: shapes that do not match, an empty class, NaN or infinity.
    """
    require_level(level)
    ids, oods = pair_features(id_e, id_d, "ID"), pair_features(ood_e, ood_d, "OOD")
    if ids.shape[1] != oods.shape[1]:
        raise ScoreError(f"ID and OOD scores must be of the same pairs. Got {ids.shape[1]} and {oods.shape[1]}.")
    value = _from_weights(ids, oods, *(np.ones((1, len(rows))) for rows in (ids, oods)))
    resampled = []  # some resamples of all pairs at a time
    for some in _drawn(groups, len(ids), len(oods), resamples, seed):
        drawn = [part.T.astype(np.float64) for part in some]
        columns = blocks(ids.shape[1], max(1, _BLOCK // (5 * len(drawn[0])))) or [slice(0, 0)]
        parts = [_from_weights(ids[:, pairs], oods[:, pairs], *drawn) for pairs in columns]
        resampled.append(Separability(*(np.concatenate(field, axis=1) for field in zip(*parts, strict=True))))
    fields = (np.concatenate(field) for field in zip(*resampled, strict=True))
    return _rows(Separability(*(field[0] for field in value)), Separability(*fields), level)


def _drawn(groups: Groups | None, n_id: int, n_ood: int, resamples: int, seed: int) -> Iterable[list[np.ndarray]]:
    """Weights of ID and OOD images, (n, resamples) each, in parts; kept where every image is alone."""
    if groups is None and (n_id + n_ood) * resamples <= _KEPT:
        return _kept(n_id, n_ood, resamples, seed)
    rng = np.random.default_rng(seed)
    return (weights(groups, n_id, n_ood, some.stop - some.start, rng) for some in blocks(resamples, _AT_ONCE))


@functools.lru_cache(maxsize=4)
def _kept(n_id: int, n_ood: int, resamples: int, seed: int) -> list[list[np.ndarray]]:
    """Drawing takes longer than all that is computed with one pair's: whole numbers, of at most n or a few."""
    rng = np.random.default_rng(seed)
    return [
        [part.astype(np.uint8) for part in weights(None, n_id, n_ood, some.stop - some.start, rng)]
        for some in blocks(resamples, _AT_ONCE)
    ]


def pair_features(e: np.ndarray, d: np.ndarray, name: str) -> np.ndarray:
    """Scores (pairs, n) of one class as float64 (n, pairs, 2). Raises ScoreError: shapes, no image, NaN, infinity."""
    e, d = score_rows(e, d)
    if e.shape != d.shape:
        raise ScoreError(f"Encoder and decoder must score the same {name} images. Got {e.shape} and {d.shape}.")
    values = np.stack([e, d], axis=-1).astype(np.float64).transpose(1, 0, 2)
    require_finite(values, f"{name} scores")
    return values


def _from_weights(ids: np.ndarray, oods: np.ndarray, id_weights: np.ndarray, ood_weights: np.ndarray) -> Separability:
    """Separability under image weights (resamples, n): fields (resamples, pairs)."""
    (id_mean, id_cov), (ood_mean, ood_cov) = _moments(ids, id_weights), _moments(oods, ood_weights)
    return separability(ood_mean - id_mean, (id_cov + ood_cov) / 2)


def _moments(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted means (resamples, pairs, 2) and covariances (resamples, pairs, 2, 2); NaN for a single image."""
    n, pairs, _ = values.shape
    if n < 2:
        shape = (len(weights), pairs, 2)
        return np.full(shape, np.nan), np.full((*shape, 2), np.nan)
    centre = values.mean(axis=0)  # moments around it keep their digits
    e, d = (values - centre).transpose(2, 0, 1)
    columns = np.stack([e, d, e * e, d * d, e * d], axis=-1).reshape(n, -1)
    first_e, first_d, ee, dd, ed = (weights @ columns / n).reshape(len(weights), pairs, 5).transpose(2, 0, 1)
    ee, dd, ed = ee - first_e**2, dd - first_d**2, ed - first_e * first_d
    scale = columns.reshape(n, pairs, 5)[..., 2:4].mean(axis=0)  # variances of the sample
    # The sample variances of n - 1: with few images the distances would otherwise be too large.
    unbiased = n / (n - 1)
    ee = np.where(ee > _ROUNDING * np.maximum(scale[:, 0], centre[:, 0] ** 2 * _ROUNDING), ee, 0.0) * unbiased
    dd = np.where(dd > _ROUNDING * np.maximum(scale[:, 1], centre[:, 1] ** 2 * _ROUNDING), dd, 0.0) * unbiased
    covariance = np.stack([np.stack([ee, ed * unbiased], -1), np.stack([ed * unbiased, dd], -1)], -2)
    return centre + np.stack([first_e, first_d], axis=-1), covariance


def _rows(value: Separability, resampled: Separability, level: float) -> pd.DataFrame:
    """The table of some pairs from fields (pairs,) and (resamples, pairs)."""
    limits = {
        name: _percentiles(getattr(value, name), getattr(resampled, name), level)
        for name in ("alone_e", "alone_d", "shift_d", "shift_e", "average", "rest")
    }
    unclear = {name: (lo <= 0) & (hi >= 0) for name, (lo, hi) in limits.items()}
    lo, hi = _bias_corrected(value.d2, resampled.d2, level)
    columns = limited("d2", value.d2, np.where(unclear["alone_e"] & unclear["shift_d"], 0.0, lo), hi)
    squares = {"d2_e": "alone_e", "d2_d": "alone_d", "gain_d": "shift_d", "gain_e": "shift_e", "d2_avg": "average"}
    for name, root in squares.items():
        ends = np.sort(np.square(limits[root]), axis=0)
        columns |= limited(name, getattr(value, root) ** 2, np.where(unclear[root], 0.0, ends[0]), ends[1])
    with np.errstate(invalid="ignore"):
        share, shares = value.average**2 / value.d2, resampled.average**2 / resampled.d2
    lo, hi = _percentiles(share, shares, level)
    columns |= limited("realised", share, np.minimum(lo, share), np.where(unclear["rest"], 1.0, np.maximum(hi, share)))
    for side in ("d", "e"):
        columns |= limited(f"shift_{side}", getattr(value, f"shift_{side}"), *limits[f"shift_{side}"])
    frame = pd.DataFrame(columns)
    for side in ("e", "d"):
        both = frame["d2_avg"].notna() & frame[f"d2_{side}"].notna()
        frame[f"avg_beats_{side}"] = (frame["d2_avg"] > frame[f"d2_{side}"]).astype("boolean").where(both)
    return frame


def _percentiles(values: np.ndarray, resampled: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    tails = np.broadcast_to([[(1 - level) / 2], [(1 + level) / 2]], (2, len(values)))
    return _quantiles(values, resampled, tails)


def _bias_corrected(values: np.ndarray, resampled: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Percentiles moved by twice the median bias of the resamples (Efron 1981)."""
    normal = NormalDist()
    count = np.maximum(np.isfinite(resampled).sum(axis=0), 1)
    with np.errstate(invalid="ignore"):
        below = np.clip((resampled < values).sum(axis=0) / count, 0.5 / count, 1 - 0.5 / count)
    bias = np.array([normal.inv_cdf(share) for share in below])
    z = normal.inv_cdf((1 + level) / 2)
    tails = np.array([[normal.cdf(2 * b + sign * z) for b in bias] for sign in (-1, 1)]).reshape(2, -1)
    lo, hi = _quantiles(values, resampled, tails)
    return np.minimum(lo, values), np.maximum(hi, values)


def _quantiles(values: np.ndarray, resampled: np.ndarray, tails: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles ``tails`` (2, pairs) of each column's finite resamples; NaN without a value or with too few."""
    ordered = np.sort(resampled, axis=0)  # NaN last
    finite = np.isfinite(ordered).sum(axis=0)
    position = tails * np.maximum(finite - 1, 0)
    below = np.floor(position).astype(int)
    low, high = (np.take_along_axis(ordered, rows, axis=0) for rows in (below, np.ceil(position).astype(int)))
    limits = low + (high - low) * (position - below)
    limits[:, ~np.isfinite(values) | (finite <= _USABLE * len(resampled))] = np.nan
    return limits[0], limits[1]
