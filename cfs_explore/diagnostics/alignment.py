"""Levels at which a backbone stands where a reference backbone stands, by a measured curve over log-SNR (theory 1).

Both curves, expected score magnitude and mean 1 - SSIM, fall with the log-SNR, but for sampling noise. They are
fitted monotone (isotonic least squares) with straight lines between the points, and one is read backwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from cfs_explore.diagnostics.checks import ScoreError

#: Columns of a curve that can be aligned by.
CURVES = ("score_norm", "perceptual")
#: Values closer than this, and closer than the reference's standard error, count as one: where a curve is so flat, its
#: inverse would follow the sampling noise.
PLATEAU = 0.002
#: A request this far beyond the reference's points is still answered by their end.
_MISS = 0.25


class _Curve(NamedTuple):
    """A monotone fit: rising log-SNRs, values that do not rise, and what counts as no difference, (points,) each."""

    lams: np.ndarray
    values: np.ndarray
    tolerance: np.ndarray

    def at(self, lams: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
        """Values and tolerances."""
        return np.interp(lams, self.lams, self.values), np.interp(lams, self.lams, self.tolerance)

    def interval(self, values: np.ndarray, tolerance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest log-SNR with each value; those of the nearest value where there is none."""
        values = np.clip(values, self.values[-1], self.values[0])
        falling = _Curve(-self.lams[::-1], -self.values[::-1], self.tolerance[::-1])
        lowest = [self._crossing(value) for value in values + tolerance]
        highest = [-falling._crossing(value) for value in tolerance - values]
        return np.array(lowest), np.array(highest)

    def _crossing(self, value: float) -> float:
        """The lowest log-SNR at which the curve has come down to ``value``."""
        k = int(np.argmax(self.values <= value))
        if k == 0:
            return float(self.lams[0])
        drop = (self.values[k - 1] - value) / (self.values[k - 1] - self.values[k])
        return float(self.lams[k - 1] + drop * (self.lams[k] - self.lams[k - 1]))


def aligned_lams(curve: pd.DataFrame, reference: pd.DataFrame, lams: Sequence[float], kind: str) -> list[float]:
    """Log-SNRs at which a backbone has the value that the reference has at the requested ones.

    Where several log-SNRs have the value, on a plateau, the nearest of them to the request is taken; a value that the
    backbone never has is replaced by the nearest one that it has, a request outside the reference's points by the
    nearest of those. Requests keep their order.

    Args:
        curve, reference: alignment curves, a row per log-SNR in any order, with columns ``lam`` and ``kind``; where the
            reference has ``{kind}_se``, differences below it (and ``PLATEAU``) are none.
        lams: requested log-SNRs, on the reference.
        kind: "score_norm" or "perceptual".

    Raises:
        ScoreError: another kind, a missing column, or fewer than two points with finite numbers.
    """
    own, other = _fitted(curve, kind), _fitted(reference, kind)
    lo, hi = own.interval(*other.at(lams))
    found = np.clip(np.clip(lams, other.lams[0], other.lams[-1]), lo, hi)
    order = np.argsort(lams, kind="stable")
    found[order] = np.maximum.accumulate(found[order])
    return [float(lam) for lam in found]


def has_aligned(curve: pd.DataFrame, reference: pd.DataFrame, lams: Sequence[float], kind: str) -> list[bool]:
    """Whether ``aligned_lams`` finds the reference's value itself, and not the nearest end of either curve."""
    own, other = _fitted(curve, kind), _fitted(reference, kind)
    (values, tolerance), lams = other.at(lams), np.asarray(lams)
    inside = (lams >= other.lams[0] - _MISS) & (lams <= other.lams[-1] + _MISS)
    met = (values <= own.values[0] + tolerance) & (values >= own.values[-1] - tolerance)
    return [bool(found) for found in inside & met]


def _fitted(curve: pd.DataFrame, kind: str) -> _Curve:
    from scipy.optimize import isotonic_regression  # slow to import

    if kind not in CURVES:
        raise ScoreError(f"kind must be one of {', '.join(CURVES)}. Got {kind!r} instead.")
    missing = sorted({"lam", kind} - set(curve.columns))
    if missing:
        raise ScoreError(f"An alignment curve needs the columns lam and {kind}. It has no {', '.join(missing)}.")
    points = curve.groupby("lam", sort=True).mean(numeric_only=True)
    if len(points) < 2 or not np.isfinite(points[kind]).all():
        raise ScoreError(f"An alignment curve needs at least two points with finite {kind}. Got {len(points)} points.")
    fit = isotonic_regression(points[kind].to_numpy(), increasing=False)
    error = points.get(f"{kind}_se", pd.Series(0.0, points.index)).fillna(0.0)
    return _Curve(points.index.to_numpy(dtype=np.float64), fit.x, np.minimum(error.to_numpy(), PLATEAU))
