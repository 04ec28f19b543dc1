"""Many verdicts at once: how many chance would give, which survive, and which are no evidence (theory 30)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from cfs_explore.contracts import SATURATED
from cfs_explore.diagnostics.conformal import adjusted_p_values
from cfs_explore.diagnostics.intervals import z_of
from cfs_explore.wording import format_value, percent

#: Share of false discoveries among the verdicts that survive (Benjamini & Hochberg 1995).
FALSE_DISCOVERIES = 0.05


class Verdicts(NamedTuple):
    """Of many comparisons with a limit, (n,) each.

    Attributes:
        p: two-sided, of the true value being the limit; NaN where nothing is known or both AUROCs are saturated.
        firm: the 95 % interval leaves the limit out.
        survives: firm, and stands at the false-discovery rate ``FALSE_DISCOVERIES`` over all of them.
    """

    p: np.ndarray
    firm: np.ndarray
    survives: np.ndarray

    def summary(self, what: str = "comparisons", firm: str = "firm") -> str:
        """How many chance alone would give, and how many survive, in one sentence.

        Args:
            what: the comparisons, in the plural. firm: what is said of those whose interval leaves the limit out.
        """
        judged, saturated = int(np.isfinite(self.p).sum()), self.p.size - int(np.isfinite(self.p).sum())
        chance = 0.05 * judged
        about = format_value(chance, 0) if chance >= 10 else format_value(chance, 1)
        none = f"; {saturated:,} more are no evidence (both AUROCs near 1) or were not measured" if saturated else ""
        return (
            f"Of {judged:,} {what}, about {about} would be {firm} by chance alone; {self.firm.sum():,} are, and "
            f"{self.survives.sum():,} of these survive at a false-discovery rate of {percent(FALSE_DISCOVERIES)} "
            f"(Benjamini-Hochberg){none}."
        )


def verdicts(
    value: np.ndarray,
    lo: np.ndarray,
    hi: np.ndarray,
    limit: float = 0.0,
    arms: tuple[np.ndarray, np.ndarray] | None = None,
) -> Verdicts:
    """Verdicts on "this value is the limit" from values and their 95 % intervals, (n,) each.

    Args:
        arms: both AUROCs, where it is their difference.
    """
    value, lo, hi = (np.asarray(part, dtype=np.float64) for part in (value, lo, hi))
    p = np.array([p_value(*interval, limit) for interval in zip(value, lo, hi, strict=True)]).reshape(value.shape)
    if arms is not None:
        p = np.where(np.minimum(*map(np.asarray, arms)) > SATURATED, np.nan, p)
    firm = np.isfinite(p) & ((lo > limit) | (hi < limit))
    return Verdicts(p, firm, firm & survivors(p))


def survivors(p: np.ndarray) -> np.ndarray:
    """Which stand at the false-discovery rate, by Benjamini and Hochberg; a NaN is no comparison, and stands not."""
    stands, valid = np.zeros(p.shape, dtype=bool), np.isfinite(p)
    if valid.any():
        stands[valid] = adjusted_p_values(p[valid]) <= FALSE_DISCOVERIES
    return stands


def p_value(value: float, lo: float, hi: float, limit: float) -> float:
    """Two-sided, of the true value being the limit: from the half of the 95 % interval on its side; NaN without one."""
    half = value - lo if limit < value else hi - value
    if not math.isfinite(half):
        return math.nan
    if half == 0:
        return 1.0 if value == limit else math.ulp(0.0)
    return max(math.erfc(abs(value - limit) / half * z_of(0.95) / math.sqrt(2)), math.ulp(0.0))
