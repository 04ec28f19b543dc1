"""Bootstrap resamples as counts per image: a resample costs sums, no sorting."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

#: Enough for the limits of a 95 % interval to vary by 2 % of half its width between seeds (theory 29): percentiles, and
#: limits from the standard deviation of the resamples.
RESAMPLES, SD_RESAMPLES = 4000, 1000


def resample_counts(n: int, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """How often each of n images is drawn in each resample: float32 (n, resamples)."""
    drawn = rng.integers(0, n, size=(resamples, n)) + np.arange(resamples)[:, None] * n
    counts = np.bincount(drawn.ravel(), minlength=resamples * n).reshape(resamples, n)
    return np.ascontiguousarray(counts.T, dtype=np.float32)


def standing_decimals(lo: float, hi: float, most: int, resamples: int = RESAMPLES) -> int:
    """Decimals, ``most`` at most, that percentile limits of 95 % keep under other seeds (theory 29).

    The standard error of the limits, sqrt(p (1 - p) / resamples) over the density there (Stuart & Ord 1994, 10.10; of
    a normal distribution), is at most half of the last digit.
    """
    normal, tail = NormalDist(), 0.025
    z = normal.inv_cdf(1 - tail)
    error = math.sqrt(tail * (1 - tail) / resamples) / normal.pdf(z) * (hi - lo) / (2 * z)
    if not error > 0:
        return most
    return min(most, max(0, math.floor(-math.log10(2 * error))))
