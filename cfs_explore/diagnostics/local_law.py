"""Small noise moves a snapshot along its Jacobian: ln W = const + ln b^2, and how far that holds (theory 15)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cfs_explore.contracts import Level, Tap
from cfs_explore.diagnostics.auroc_map import cell_columns
from cfs_explore.diagnostics.bootstrap import RESAMPLES
from cfs_explore.diagnostics.checks import ScoreError, require_finite, require_level
from cfs_explore.diagnostics.groups import Members, set_weights
from cfs_explore.diagnostics.intervals import limited
from cfs_explore.diagnostics.reliability import icc, jackknife_icc

#: Local slopes that count as 1, and the reliability that a stable snapshot keeps.
SLOPES, RELIABLE = (0.8, 1.2), 0.9
#: The small-noise part: levels at least as clean as this log-SNR (b/a <= 0.082), and no fewer than so many.
SMALL_NOISE_LAM, FEWEST = 5.0, 3


def local_law(
    between: np.ndarray,
    within: np.ndarray,
    levels: Sequence[Level],
    taps: Sequence[Tap],
    draws: int,
    *,
    level: float = 0.95,
    groups: Members | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Growth of the within-image variance W with the noise, and the stability radius, of every tap.

    Args:
        between: squared distance of each image's mean snapshot from the mean of all, whitened and averaged over
            features, (n, L, T).
        within: squared distances of an image's draws from its mean, summed, whitened and averaged alike, (n, L, T).
        levels: the L levels, clean to noisy. taps: the T taps.
        draws: M >= 2.
        groups: of the images, drawn whole (theory 28).
        resamples, seed: of the bootstrap over images.

    Returns:
        L x T rows, levels outermost: the table ``local_law`` (``studies.stability``). A slope rests on the levels with
        lam >= ``SMALL_NOISE_LAM``, the cleanest ``FEWEST`` at least; a radius on ``SLOPES`` and ``RELIABLE``.

    Raises:
        ScoreError: shapes that do not match, fewer than two draws, no image, NaN or infinity.
    """
    require_level(level)
    between, within = _checked(between, within, levels, taps, draws)
    n = len(within)
    log_b2 = 2 * np.log([level.b for level in levels])
    ratio = np.array([level.b / level.a for level in levels])
    small = max(sum(level.lam >= SMALL_NOISE_LAM - 0.25 for level in levels), min(FEWEST, len(levels)))

    weights = set_weights(groups, n, resamples, np.random.default_rng(seed))
    sample = np.vstack([np.ones((1, n)), weights])  # first the images as they are
    growth = np.tensordot(sample, within, 1) / (n * (draws - 1))  # (1 + resample, L, T)
    local = _local_slopes(growth, log_b2)
    fitted = _fitted_slopes(growth[:, :small], log_b2[:small])
    reach = _radius(local, _resampled_icc(sample, between, within, draws), ratio)

    reliability = jackknife_icc(between, within, draws, level, groups)
    count = n if groups is None else groups.count
    columns = {
        **_limits("within", growth, count, level),
        **limited("icc", *reliability),
        **_limits("local_slope", local, count, level),
        "n_id": n,
        "draws": draws,
        **{name: np.tile(value, (len(levels), 1)) for name, value in _limits("slope", fitted, count, level).items()},
        "slope_lam": levels[small - 1].lam,
        **{name: np.tile(value, (len(levels), 1)) for name, value in _limits("radius", reach, count, level).items()},
    }
    frame = _rows(levels, taps, ratio)
    frame = frame.assign(**{name: value.ravel() if np.ndim(value) else value for name, value in columns.items()})
    return frame.assign(radius_end=np.tile(reach[0] == ratio[-1], len(levels)))


def _checked(between, within, levels, taps, draws) -> tuple[np.ndarray, np.ndarray]:
    shape = (len(levels), len(taps))
    arrays = np.asarray(between, dtype=np.float64), np.asarray(within, dtype=np.float64)
    for values, name in zip(arrays, ("between", "within"), strict=True):
        if values.ndim != 3 or values.shape[1:] != shape or 0 in values.shape:
            raise ScoreError(f"{name} must have shape (n_images, {shape[0]}, {shape[1]}). Got {values.shape} instead.")
        require_finite(values, name)
    if len(arrays[0]) != len(arrays[1]) or draws < 2:
        raise ScoreError(
            f"The local law needs the same images in both and two draws. Got {len(arrays[0])} and {len(arrays[1])} "
            f"images and {draws} draws."
        )
    return arrays


def _rows(levels: Sequence[Level], taps: Sequence[Tap], ratio: np.ndarray) -> pd.DataFrame:
    noise = {"b": np.repeat([level.b for level in levels], len(taps)), "b_over_a": np.repeat(ratio, len(taps))}
    order = ["lam", "b", "b_over_a", "tap", "tap_index", "region", "depth"]
    return cell_columns(levels, taps).assign(**noise)[order]


def _local_slopes(growth: np.ndarray, log_b2: np.ndarray) -> np.ndarray:
    """d ln W / d ln b^2 between neighbouring levels, (..., L, T); NaN at the first, and where W is 0."""
    slopes = np.full(growth.shape, np.nan)
    slopes[..., 1:, :] = np.diff(_log(growth), axis=-2) / np.diff(log_b2)[:, None]
    return slopes


def _fitted_slopes(growth: np.ndarray, log_b2: np.ndarray) -> np.ndarray:
    """Least-squares slope of ln W on ln b^2 over the levels given, (..., T); NaN for a single level."""
    if len(log_b2) < 2:
        return np.full((len(growth), growth.shape[-1]), np.nan)
    x = log_b2 - log_b2.mean()
    return np.einsum("k,...kt->...t", x, _log(growth)) / (x @ x)


def _log(growth: np.ndarray) -> np.ndarray:
    return np.log(growth, out=np.full(growth.shape, np.nan), where=growth > 0)


def _resampled_icc(sample: np.ndarray, between: np.ndarray, within: np.ndarray, draws: int) -> np.ndarray:
    """ICC under image weights, (1 + resample, L, T); the first row has the weights 1.

    A resample's own mean lies off the sample's, which costs its squares 1 / n of their sum on average: put back, so
    that resamples scatter around the sample's ICC.
    """
    n = len(within)
    if n < 2:
        return np.full((len(sample), *within.shape[1:]), np.nan)
    msb = draws * np.tensordot(sample, between, 1) / (n - 1)
    return icc(msb, np.tensordot(sample, within, 1) / (n * (draws - 1)), draws)


def _radius(local: np.ndarray, reliability: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """Largest b/a up to which the law holds, (..., T); NaN where nothing is known at the cleanest level."""
    slope_holds = (local >= SLOPES[0]) & (local <= SLOPES[1])
    slope_holds[..., 0, :] = slope_holds[..., 1, :] if len(ratio) > 1 else True  # the first has its slope ahead
    holds = np.logical_and.accumulate(slope_holds & (reliability >= RELIABLE), axis=-2).sum(axis=-2)
    radius = np.concatenate([[0.0], ratio])[holds]
    return np.where(np.isnan(reliability[..., 0, :]), np.nan, radius)


def _limits(name: str, values: np.ndarray, count: int, level: float) -> dict[str, np.ndarray]:
    """Column ``name`` from the first row of (1 + resample, ...) and its percentile limits from the others."""
    tail, estimate = (1 - level) / 2, values[0]
    # One image (or group) resampled is the same one: nothing is learnt.
    valid = np.isfinite(values).all(axis=0) & (count > 1)
    lo, hi = np.quantile(np.where(valid, values[1:], 0.0), [tail, 1 - tail], axis=0)
    lo, hi = np.where(valid, np.minimum(lo, estimate), np.nan), np.where(valid, np.maximum(hi, estimate), np.nan)
    return limited(name, estimate, lo, hi)
