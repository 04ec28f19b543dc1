"""The second loop: snapshots x diagonal statistics -> slot scores (theory 3), and mergeable moments.

Also the arithmetic that every reader of them shares: variance with its floor, features cut per tap, mean over draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cfs_explore.contracts import VARIANCE_FLOOR, Tap


@dataclass(frozen=True, eq=False)
class Moments:
    """Count, mean and sums of squares of snapshots, mergeable without loss (Chan et al. 1979).

    Attributes:
        count: samples (images x draws).
        mean: float64 (level, feature).
        m2: sum over samples of squared deviations from ``mean``, float64 (level, feature).
        m2_within: sum over images of the squared deviations of the draws from their image's mean (theory 14).
    """

    count: int
    mean: np.ndarray
    m2: np.ndarray
    m2_within: np.ndarray

    @classmethod
    def of(cls, block: np.ndarray) -> Moments:
        """Moments of snapshots (level, draw, image, feature)."""
        levels, draws, n, width = block.shape
        mean, m2, within = (np.zeros((levels, width)) for _ in range(3))
        for k in range(levels):  # level by level, so that the float64 copies stay in cache
            z = block[k].astype(np.float64)  # (draw, image, feature)
            per_image = z.mean(axis=0) if draws > 1 else z[0]
            mean[k] = per_image.mean(axis=0)
            if draws > 1:
                z -= per_image
                within[k] = np.einsum("mif,mif->f", z, z)
            per_image -= mean[k]
            m2[k] = within[k] + draws * np.einsum("if,if->f", per_image, per_image)
        return cls(draws * n, mean, m2, within)

    def merge(self, other: Moments) -> Moments:
        """Moments of both samples together."""
        count = self.count + other.count
        delta = other.mean - self.mean
        mean = self.mean + delta * (other.count / count)
        m2 = self.m2 + other.m2 + delta**2 * (self.count * other.count / count)
        return Moments(count, mean, m2, self.m2_within + other.m2_within)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """As named arrays for a file."""
        return {
            "count": np.int64(self.count),
            "mean": self.mean,
            "m2": self.m2,
            "m2_within": self.m2_within,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Moments:
        """The inverse of ``to_arrays``; other arrays are left alone."""
        return cls(int(arrays["count"]), arrays["mean"], arrays["m2"], arrays["m2_within"])

    def at(self, levels: int | Sequence[int], features: slice | np.ndarray = slice(None)) -> Moments:
        """The same samples at one level or some of them, and of some features; the axes stay (level, feature)."""
        levels = np.atleast_1d(levels)
        return Moments(self.count, *(part[levels][:, features] for part in (self.mean, self.m2, self.m2_within)))

    @property
    def variance(self) -> np.ndarray:
        """v of theory (3): population variance, floored at ``VARIANCE_FLOOR``, float64 (level, feature)."""
        return np.maximum(self.m2 / self.count, VARIANCE_FLOOR)

    @property
    def m2_between(self) -> np.ndarray:
        """What ``m2_within`` leaves of ``m2``: draws x squared deviations of the images' means, summed (theory 14).

        Rounding may leave that of a dead feature just below 0: it is 0 then.
        """
        return np.maximum(self.m2 - self.m2_within, 0.0)


def feature_columns(taps: Sequence[Tap]) -> dict[str, slice]:
    """Tap -> its slice of the feature axis: C means, then C standard deviations (theory 2)."""
    edges = np.cumsum([0, *(2 * tap.channels for tap in taps)]).tolist()
    return {tap.name: slice(*pair) for tap, *pair in zip(taps, edges[:-1], edges[1:], strict=True)}


def sum_per_tap(values: np.ndarray, columns: Mapping[str, slice]) -> np.ndarray:
    """Sums over each tap's features, (..., feature) -> (..., tap), dtype as given."""
    return np.stack([values[..., part].sum(axis=-1) for part in columns.values()], axis=-1)


def mean_per_tap(values: np.ndarray, columns: Mapping[str, slice]) -> np.ndarray:
    """Averages over each tap's features, (..., feature) -> (..., tap), dtype as given."""
    return np.stack([values[..., part].mean(axis=-1) for part in columns.values()], axis=-1)


def mean_over_draws(scores: np.ndarray, dtype: type = np.float64) -> np.ndarray:
    """Scores averaged over the noise draws (theory 3), (image, draw, ...) -> (image, ...).

    Args:
        scores: float32, as a run stores them.
        dtype: of the sum and the result. float64 wherever numbers follow; float32 where scores are kept or shown as
            such: the score table, the median image of a set, and what a run's detectors and best cells are made of.
    """
    return scores.mean(axis=1, dtype=dtype)


def slot_scores(block: np.ndarray, moments: Moments, columns: Mapping[str, slice]) -> np.ndarray:
    """Diagonal slot scores s = mean_j (z_j - mu_j)^2 / v_j of every draw (theory 3).

    Args:
        block: snapshots (level, draw, image, feature).
        moments: of ID-train, at the same levels.
        columns: tap -> slice of the feature axis, in tap order.

    Returns:
        float32 (image, draw, level, tap); their mean over draws is the slot score.
    """
    whitened = _whiten(block, moments)
    scores = np.stack([_mean_square(whitened[..., c]) for c in columns.values()], axis=-1)
    return np.ascontiguousarray(scores.transpose(2, 1, 0, 3))  # (image, draw, level, tap)


def pair_squares(block: np.ndarray, moments: Moments, columns: Mapping[str, slice]) -> tuple[np.ndarray, int]:
    """Squared inner products of the whitened snapshots of different images, summed over pairs (theory 11).

    Their mean estimates |R|_F^2 without bias; a sum over the shards of a set serves as well as one over the set.

    Args:
        block, moments, columns: as for ``slot_scores``.

    Returns:
        float64 (level, tap), and the number of ordered pairs (images of the same draw).
    """
    levels, draws, n, _ = block.shape
    whitened = _whiten(block, moments)
    sums = np.zeros((levels, len(columns)))
    for k in range(levels):
        for t, part in enumerate(columns.values()):
            for z in whitened[k, :, :, part]:  # (image, feature) of one draw
                gram = (z @ z.T).astype(np.float64)
                sums[k, t] += np.square(gram).sum() - np.square(gram.diagonal()).sum()
    return sums, draws * n * (n - 1)


def _whiten(block: np.ndarray, moments: Moments) -> np.ndarray:
    """(z - mu) / sqrt(v), float32 (level, draw, image, feature)."""
    mean, variance = moments.mean[:, None, None], moments.variance[:, None, None]
    return (block - mean.astype(np.float32)) * (variance**-0.5).astype(np.float32)


def _mean_square(values: np.ndarray) -> np.ndarray:
    return np.einsum("...j,...j->...", values, values) / np.float32(values.shape[-1])
