"""One simulated tap: Gaussian features whose score has known moments, so that each formula can be watched at work.

ID features are z ~ N(0, R), OOD features z ~ N(m, ratio R): R a correlation matrix of d features, m a shift of some of
them. ID-train is taken as known (mu = 0, v = 1), so the slot score (3) is s = |z|^2 / d. Of a Gaussian z ~ N(m, S),

    E[s] = (tr S + m'm) / d,    Var[s] = (2 |S|_F^2 + 4 m'S m) / d^2,

which gives Delta and its two parts (10), Var_ID (11) and Var_OOD exactly. All scores of one seed share their random
numbers, so a curve over a setting is smooth and a change of the setting is the only thing that moves a picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from cfs_explore.diagnostics.channels import channel_contributions
from cfs_explore.diagnostics.checks import ScoreError
from cfs_explore.diagnostics.delong import delong
from cfs_explore.diagnostics.intervals import auroc_interval, z_of
from cfs_explore.diagnostics.predicted_auroc import cantelli_bound, normal_prediction
from cfs_explore.scoring import Moments

#: How features are correlated: all pairs alike, or the less the farther apart (rho^|i - j|).
PATTERNS = ("equal", "neighbours")

_Z = z_of(0.95)


@dataclass(frozen=True)
class SimulatedTap:
    """Settings of one tap.

    Attributes:
        channels: d, number of features, >= 1.
        correlation: rho between features, in [0, 1).
        shift: of the mean of each shifted feature under OOD, in ID standard deviations.
        share: of the features that are shifted, in (0, 1]; at least one is.
        variance_ratio: variance of every feature under OOD, ID = 1.
        pattern: one of ``PATTERNS``.
    """

    channels: int = 64
    correlation: float = 0.0
    shift: float = 0.5
    share: float = 1.0
    variance_ratio: float = 1.0
    pattern: str = "equal"

    def __post_init__(self):
        allowed = {
            "channels": ("an integer of at least 1", self.channels >= 1 and self.channels == int(self.channels)),
            "correlation": ("in [0, 1)", 0 <= self.correlation < 1),
            "shift": ("finite", np.isfinite(self.shift)),
            "share": ("in (0, 1]", 0 < self.share <= 1),
            "variance_ratio": ("positive", 0 < self.variance_ratio < np.inf),
            "pattern": (f"one of {PATTERNS}", self.pattern in PATTERNS),
        }
        for name, (rule, holds) in allowed.items():
            if not holds:
                raise ScoreError(f"{name} must be {rule}. Got {getattr(self, name)!r} instead.")

    @property
    def shifted(self) -> int:
        """How many features, the first ones, are shifted."""
        return max(1, round(self.share * self.channels))

    @property
    def lags(self) -> np.ndarray:
        """First row of the Toeplitz matrix R, (channels,)."""
        distance = np.arange(self.channels)
        if self.pattern == "neighbours":
            return float(self.correlation) ** distance
        return np.where(distance == 0, 1.0, self.correlation)


class TapMoments(NamedTuple):
    """Exact moments of the score: Delta with its two parts (10), variances over images, effective dimension (11)."""

    delta: float
    mean_shift: float
    variance_change: float
    var_id: float
    var_ood: float
    effective_dimension: float


class TapSample(NamedTuple):
    """Simulated images: features (channels, n) float64, of ID and of OOD."""

    id: np.ndarray
    ood: np.ndarray

    @property
    def scores(self) -> tuple[np.ndarray, np.ndarray]:
        """Slot scores (3) of ID and OOD, (n,) each."""
        return _score(self.id), _score(self.ood)

    def subset(self, channels: int) -> TapSample:
        """The first ``channels`` features alone."""
        return TapSample(self.id[:channels], self.ood[:channels])


def tap_moments(tap: SimulatedTap) -> TapMoments:
    """Moments of the score before any image is drawn (theory 10, 11)."""
    d, k, ratio = tap.channels, tap.shifted, tap.variance_ratio
    norm = _toeplitz_sum(np.square(tap.lags))  # |R|_F^2
    mean_shift = k * tap.shift**2 / d
    quadratic = tap.shift**2 * _toeplitz_sum(tap.lags[:k])  # m'R m
    return TapMoments(
        delta=mean_shift + ratio - 1,
        mean_shift=mean_shift,
        variance_change=ratio - 1,
        var_id=2 * norm / d**2,
        var_ood=(2 * ratio**2 * norm + 4 * ratio * quadratic) / d**2,
        effective_dimension=d**2 / norm,
    )


def sample_tap(tap: SimulatedTap, n: int, seed: int) -> TapSample:
    """Draw n ID and n OOD images; the same seed gives the same random numbers whatever the settings."""
    return _sample(tap, *_noise(tap.channels, n, seed))


def tap_summary(tap: SimulatedTap, sample: TapSample) -> pd.DataFrame:
    """The moments of a tap beside what a sample of it shows.

    Returns:
        One row per quantity (delta, mean_shift, variance_change, var_id, var_ood, effective_dimension): exact,
        measured, lo, hi (95 %, from the spread over images; first order for the parts and the variances), n.

    Raises:
        ScoreError: fewer than 2 images.
    """
    n = sample.id.shape[1]
    if n < 2:
        raise ScoreError(f"A summary needs at least 2 images of each kind. Got {n} instead.")
    exact = tap_moments(tap)._asdict()
    rows = [{"quantity": name, "exact": exact[name], **row, "n": n} for name, row in _estimates(sample).items()]
    return pd.DataFrame(rows)


def tap_curve(tap: SimulatedTap, setting: str, values: Sequence[float], n: int, seed: int) -> pd.DataFrame:
    """Bound, prediction and measured AUROC while one setting moves and the others stay.

    Args:
        tap: the other settings.
        setting: name of a field of ``SimulatedTap``. values: what it becomes.
        n, seed: images of each kind, as in ``sample_tap``.

    Returns:
        One row per value: the setting, delta, var_id, var_ood, effective_dimension (exact), bound (12; NaN unless
        delta > 0), prediction (13), auroc, lo, hi (DeLong, 95 %), n_id, n_ood.
    """
    taps = [replace(tap, **{setting: value}) for value in values]
    if not taps:
        raise ScoreError("A curve needs at least one value.")
    noise = _noise(max(tap.channels for tap in taps), n, seed)
    rows = pd.DataFrame([tap_moments(tap)._asdict() for tap in taps])
    scores = [_sample(tap, *noise).scores for tap in taps]
    id_scores, ood_scores = (np.stack(part) for part in zip(*scores, strict=True))
    value, var = delong(id_scores, ood_scores)
    lo, hi = auroc_interval(value, var, n, n)
    moments = (rows["delta"], rows["var_id"], rows["var_ood"])
    return rows.drop(columns=["mean_shift", "variance_change"]).assign(
        **{setting: list(values)},
        bound=cantelli_bound(*moments),
        prediction=normal_prediction(*moments),
        auroc=value,
        lo=lo,
        hi=hi,
        n_id=n,
        n_ood=n,
    )


def _toeplitz_sum(lags: np.ndarray) -> float:
    """Sum of all entries of the symmetric Toeplitz matrix with this first row."""
    k = len(lags)
    return float(k * lags[0] + 2 * np.arange(k - 1, 0, -1) @ lags[1:])


def _score(features: np.ndarray) -> np.ndarray:
    """Slot score (3) with mu = 0, v = 1 of features (channels, n)."""
    return np.einsum("ji,ji->i", features, features) / len(features)


def _noise(channels: int, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Standard normal numbers of ID and OOD, (1 + channels, n) each; more channels leave the first ones as they are."""
    if n < 1:
        raise ScoreError(f"n must be at least 1. Got {n} instead.")
    return tuple(np.random.default_rng([seed, kind]).standard_normal((1 + channels, n)) for kind in (0, 1))


def _sample(tap: SimulatedTap, id_noise: np.ndarray, ood_noise: np.ndarray) -> TapSample:
    ood = np.sqrt(tap.variance_ratio) * _correlated(tap, ood_noise)
    ood[: tap.shifted] += tap.shift
    return TapSample(_correlated(tap, id_noise), ood)


def _correlated(tap: SimulatedTap, noise: np.ndarray) -> np.ndarray:
    """Features with correlation R out of standard normal numbers, (channels, n)."""
    common, own, rho = noise[0], noise[1 : 1 + tap.channels], tap.correlation
    if tap.pattern == "equal":
        return np.sqrt(1 - rho) * own + np.sqrt(rho) * common
    features = np.empty_like(own)
    features[0] = own[0]
    for j in range(1, tap.channels):
        features[j] = rho * features[j - 1] + np.sqrt(1 - rho**2) * own[j]
    return features


def _estimates(sample: TapSample) -> dict[str, dict[str, float]]:
    """Quantity -> measured, lo, hi.

    A function of means is, to first order, the mean of what each image adds to it; the spread of that is its error.
    """
    n = sample.id.shape[1]
    id_scores, ood_scores = sample.scores
    parts = _parts(sample)
    shares = [_image_shares(features) for features in sample]
    halves = [_Z * np.sqrt((np.var(a, ddof=1) + np.var(b, ddof=1)) / n) for a, b in zip(*shares, strict=True)]
    whole = _Z * np.sqrt((np.var(id_scores, ddof=1) + np.var(ood_scores, ddof=1)) / n)
    var_id, var_ood = (_variance(scores) for scores in (id_scores, ood_scores))
    return {
        "delta": _interval(sum(parts), whole),
        "mean_shift": _interval(parts[0], halves[0]),
        "variance_change": _interval(parts[1], halves[1]),
        "var_id": var_id,
        "var_ood": var_ood,
        "effective_dimension": {"measured": 2 / var_id["measured"], "lo": 2 / var_id["hi"], "hi": 2 / var_id["lo"]},
    }


def _parts(sample: TapSample) -> tuple[float, float]:
    """Mean shift and variance change (10) of the sample, as the separation page computes them."""
    n = sample.id.shape[1]
    means = [features.mean(axis=1) for features in sample]
    nothing = np.zeros_like(means[0])[None]
    id_test, ood = (
        Moments(n, mean[None], np.square(features - mean[:, None]).sum(axis=1)[None], nothing)  # one draw each
        for features, mean in zip(sample, means, strict=True)
    )
    train = Moments(1, nothing, np.ones_like(nothing), nothing)
    parts = channel_contributions(train, id_test, ood, {"tap": slice(0, len(sample.id))})
    return float(parts.mean_shift.sum()), float(parts.variance_change.sum())


def _image_shares(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What each image adds to |mean|^2 / d and to the summed variance / d, (n,) each."""
    mean = features.mean(axis=1)
    return 2 * mean @ features / len(features), _score(features - mean[:, None])


def _variance(scores: np.ndarray) -> dict[str, float]:
    """Variance of the scores over images; its interval on the log scale, for a variance is positive and skewed."""
    value, squares = np.var(scores, ddof=1), np.square(scores - scores.mean())
    spread = np.exp(_Z * np.std(squares, ddof=1) / np.sqrt(len(scores)) / value)
    return {"measured": float(value), "lo": float(value / spread), "hi": float(value * spread)}


def _interval(value: float, half: float) -> dict[str, float]:
    return {"measured": float(value), "lo": float(value - half), "hi": float(value + half)}
