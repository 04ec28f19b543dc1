"""Where along the noise axis a score is about as good as it gets (section 6)."""

from __future__ import annotations

from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from cfs_explore.diagnostics.checks import ScoreError, require_level
from cfs_explore.diagnostics.delong import delong_covariance

#: How far below the curve's maximum an AUROC still counts as on the plateau.
MARGIN = 0.01


class Plateau(NamedTuple):
    """Stretch of measured levels around the maximum, as positions in the curve; both ends belong to it.

    Attributes:
        peak: the maximum.
        start, stop: levels within the margin of the maximum.
        possible_start, possible_stop: levels that the 95 % interval of the difference allows to be; None where the
            differences' variance is unknown.
    """

    peak: int
    start: int
    stop: int
    possible_start: int | None = None
    possible_stop: int | None = None


def plateau(
    auroc: np.ndarray, covariance: np.ndarray | None = None, *, margin: float = MARGIN, level: float = 0.95
) -> Plateau:
    """The stretch of neighbouring levels around the curve's maximum that lies within ``margin`` of it.

    Measured levels only: what happens between two of them is not claimed.

    Args:
        auroc: (L,), along the noise axis.
        covariance: of the AUROCs, (L, L); gives the levels whose paired difference from the maximum may be that small.

    Raises:
        ScoreError: no level, NaN, a covariance of another shape, or a negative margin.
    """
    require_level(level)
    values = np.asarray(auroc, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise ScoreError(f"A plateau needs finite AUROCs of shape (levels,). Got shape {values.shape}.")
    if margin < 0:
        raise ScoreError(f"The margin of a plateau must not be negative. Got {margin}.")
    peak = int(values.argmax())
    below = values[peak] - values
    start, stop = _stretch(below <= margin + 1e-12, peak)
    if covariance is None:
        return Plateau(peak, start, stop)
    covariance = np.asarray(covariance, dtype=np.float64)
    if covariance.shape != (values.size, values.size):
        raise ScoreError(f"The covariance must have shape {(values.size, values.size)}. Got {covariance.shape}.")
    variance = np.diag(covariance) + covariance[peak, peak] - 2 * covariance[peak]
    smallest = below - NormalDist().inv_cdf(0.5 + level / 2) * np.sqrt(np.maximum(variance, 0))
    return Plateau(peak, start, stop, *_stretch(smallest <= margin + 1e-12, peak))


def score_plateau(id_rows: np.ndarray, ood_rows: np.ndarray, *, margin: float = MARGIN) -> Plateau:
    """``plateau`` of one tap's scores along the levels, with DeLong's covariance where there are two images of each.

    Args:
        id_rows: (L, n_id). ood_rows: (L, n_ood).
    """
    if min(id_rows.shape[1], ood_rows.shape[1]) > 1:
        return plateau(*delong_covariance(id_rows, ood_rows), margin=margin)
    below = (id_rows[:, :, None] < ood_rows[:, None]) + 0.5 * (id_rows[:, :, None] == ood_rows[:, None])
    return plateau(below.mean(axis=(1, 2)), margin=margin)


def _stretch(inside: np.ndarray, peak: int) -> tuple[int, int]:
    """First and last of the unbroken run of True around ``peak``."""
    outside = np.flatnonzero(~inside)
    before, after = outside[outside < peak], outside[outside > peak]
    return (int(before[-1]) + 1 if before.size else 0), (int(after[0]) - 1 if after.size else len(inside) - 1)
