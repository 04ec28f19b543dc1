"""What each channel feature adds to the difference of the mean scores (theory 10), and how few of them carry it.

Moments are (level, feature), as ``store.Run.moments`` reads them; the feature axis is cut per tap by ``columns``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from cfs_explore.diagnostics.checks import ScoreError, require_finite, require_level
from cfs_explore.diagnostics.delong import delong
from cfs_explore.diagnostics.groups import Groups, independent, taken
from cfs_explore.diagnostics.intervals import auroc_interval
from cfs_explore.diagnostics.splits import FEWEST, random_halves
from cfs_explore.scoring import Moments


class Contributions(NamedTuple):
    """c_j of theory (10) in its two parts, (level, feature) each; they sum over a tap's features to Delta."""

    mean_shift: np.ndarray
    variance_change: np.ndarray

    @property
    def total(self) -> np.ndarray:
        return self.mean_shift + self.variance_change


def pooled_features(width: int) -> dict[str, np.ndarray]:
    """What the 2C features of a tap are (theory 2): channel (position) and pooling ("mean" or "std"), (2C,) each."""
    channels = np.arange(width // 2)
    return {"channel": np.tile(channels, 2), "pooling": np.repeat(["mean", "std"], len(channels))}


def channel_contributions(
    train: Moments, id_test: Moments, ood: Moments, columns: Mapping[str, slice]
) -> Contributions:
    """c_j of every feature at every level (theory 10).

    Exact for the samples behind the moments, whatever their distribution: they sum to the difference of the samples'
    mean scores. As an estimate for the population, the mean shift of n OOD and n0 ID images is too large, and the
    variance change too small, by about 1/n - 1/n0 (a sample's mean strays from the true one); Delta is unbiased.

    Args:
        train: moments of ID-train, which give mu and v. id_test, ood: of the two sets to be compared.
        columns: tap -> slice of the feature axis.

    Raises:
        ScoreError: moments of different shapes, not finite, or columns that do not cover the features.
    """
    _check_moments(train, id_test, ood, columns)
    v, m0, m = train.variance, id_test.mean, ood.mean
    shift = (m - m0) * (m + m0 - 2 * train.mean) / v  # (m - mu)^2 - (m0 - mu)^2 without cancellation
    change = (ood.m2 / ood.count - id_test.m2 / id_test.count) / v
    for part in (shift, change):
        for c in columns.values():
            part[:, c] /= c.stop - c.start
    return Contributions(shift, change)


def participation_ratio(contributions: np.ndarray, axis: int = -1) -> np.ndarray:
    """(sum |c|)^2 / sum c^2: how many features would carry the signal if they shared it equally, 1..d; NaN for none."""
    size = np.abs(contributions)
    largest = size.max(axis=axis, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = size / largest  # squares of tiny contributions would vanish
        return size.sum(axis=axis) ** 2 / np.square(size).sum(axis=axis)


def sparsity_curve(contributions: np.ndarray) -> pd.DataFrame:
    """Cumulative share of the sorted |c_j| of one cell.

    Args:
        contributions: (d,).

    Returns:
        features (1..d), share (of the summed |c|, rising to 1; NaN where nothing contributes), contribution (that of
        the feature that joins), feature (its position).
    """
    values = np.asarray(contributions, dtype=np.float64)
    if values.ndim != 1 or values.size == 0:
        raise ScoreError(f"contributions must have shape (n_features,). Got shape {values.shape} instead.")
    order = np.argsort(-np.abs(values), kind="stable")
    running = np.cumsum(np.abs(values[order]))
    share = running / running[-1] if running[-1] > 0 else np.full(values.size, np.nan)
    return pd.DataFrame(
        {"features": np.arange(1, values.size + 1), "share": share, "contribution": values[order], "feature": order}
    )


def top_channel_auroc(
    id_features: np.ndarray,
    ood_features: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    *,
    groups: Groups | None = None,
    repeats: int = 10,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """AUROC of the score restricted to the top 1, 2, 4, ... d features, ranked on one half, scored on the other.

    Each split halves both sets at random. Features are ranked by their c_j on one half (those that raise the OOD score
    most come first; (10) makes c_j the difference of the halves' mean squared z-scores), the mean squared z-score of
    the top k is judged on the other half, and the other way round. The value is the mean over splits and directions;
    the interval is as for ``best_cell``: the DeLong variance of the two directions' mean, averaged over splits, no gain
    from repetition being claimed.

    Args:
        id_features: (n_id, d). ood_features: (n_ood, d). mean, variance: of ID-train, (d,); variance > 0.
        groups: of the images, which a split leaves whole; None where each is alone.
        repeats: number of splits. seed: of the splits.

    Returns:
        Columns of ``top_channels`` (``studies.separation``) from k on; NaN where either set has fewer than 4 images or
        groups.

    Raises:
        ScoreError: shapes that do not match, NaN or infinity.
    """
    require_level(level)
    id_squares, ood_squares = _squares(id_features, ood_features, mean, variance)
    n_id, n_ood, d = len(id_squares), len(ood_squares), id_squares.shape[1]
    ks = np.array([*(2**i for i in range(d.bit_length()) if 2**i < d), d])
    frame = pd.DataFrame({"k": ks, "auroc": np.nan, "lo": np.nan, "hi": np.nan, "n_id": n_id, "n_ood": n_ood})
    apart = independent(groups, n_id, n_ood)
    if min(apart) < FEWEST or repeats < 1:
        return frame
    rng = np.random.default_rng(seed)
    judged = []  # (auroc, variance), (2, k) each
    for _ in range(repeats):
        halves = [
            (id_squares[i], ood_squares[j], taken(groups, i, j)) for i, j in random_halves(n_id, n_ood, groups, rng)
        ]
        judged += [_judge(*halves[0][:2], *halves[1], ks), _judge(*halves[1][:2], *halves[0], ks)]
    value, var = np.array(judged).mean(axis=0)
    lo, hi = auroc_interval(value, var / 2, *apart, level)  # the mean over directions of V / 2 is (V1 + V2) / 4
    return frame.assign(auroc=value, lo=lo, hi=hi)


def _judge(
    rank_id: np.ndarray,
    rank_ood: np.ndarray,
    id_squares: np.ndarray,
    ood_squares: np.ndarray,
    groups: Groups | None,
    ks: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """AUROC and DeLong variance, (k,) each, on one half of the features ranked on the other."""
    order = np.argsort(rank_id.mean(axis=0) - rank_ood.mean(axis=0), kind="stable")
    starts = np.concatenate([[0], ks[:-1]])
    rows = [
        np.cumsum(np.add.reduceat(squares[:, order], starts, axis=1), axis=1).T for squares in (id_squares, ood_squares)
    ]
    return tuple(delong(*rows, groups))


def _squares(
    id_features: np.ndarray, ood_features: np.ndarray, mean: np.ndarray, variance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Squared z-scores of both sets, float64 (n, d), after checking shapes and values."""
    mean, variance = np.asarray(mean, dtype=np.float64), np.asarray(variance, dtype=np.float64)
    if not (variance > 0).all():
        raise ScoreError("variance must be positive: floor it as the diagonal head does.")
    squares = []
    for values, name in ((id_features, "id_features"), (ood_features, "ood_features")):
        values = np.asarray(values, dtype=np.float64)
        if values.ndim != 2 or 0 in values.shape or not (mean.shape == variance.shape == values.shape[1:]):
            raise ScoreError(
                f"{name} must have shape (n_images, d), mean and variance (d,). "
                f"Got {values.shape}, {mean.shape} and {variance.shape} instead."
            )
        require_finite(values, name)
        squares.append((values - mean) ** 2 / variance)
    return squares[0], squares[1]


def _check_moments(train: Moments, id_test: Moments, ood: Moments, columns: Mapping[str, slice]) -> None:
    shape = train.mean.shape
    for name, moments in (("train", train), ("id_test", id_test), ("ood", ood)):
        if len(shape) != 2 or moments.mean.shape != shape or moments.m2.shape != shape:
            raise ScoreError(
                "Moments must have mean and m2 of one shape (level, feature). "
                f"Got {moments.mean.shape} for {name} and {shape} for train."
            )
        if moments.count < 1:
            raise ScoreError(f"The moments of {name} rest on no sample.")
        require_finite(moments.mean, f"The means of {name}")
        require_finite(moments.m2, f"The squared deviations of {name}")
    starts, stops = [c.start for c in columns.values()], [c.stop for c in columns.values()]
    if [*starts, shape[1]] != [0, *stops]:
        raise ScoreError(
            f"columns must cut the {shape[1]} features into one slice per tap. Got {list(columns.values())}."
        )
