"""Where on the log-SNR axis a probe can stand: even steps, and every level that the run measured."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cfs_explore.contracts import Level

STEP = 0.25


def probe_lams(reach: tuple[float, float], measured: Sequence[Level], step: float = STEP) -> dict[float, Level | None]:
    """Log-SNRs from noisy to clean, each with the measured level that stands there.

    Args:
        reach: lowest and highest log-SNR of the backbone.
        measured: the run's levels. Each is called by its request where that was met to half a step, else by what was
            achieved, and takes the place of the multiples of ``step`` that are nearer than half a step.

    Returns:
        log-SNR -> measured level, or None where the backbone has to match one.
    """
    low, high = reach
    named = {_name(level, step): level for level in measured}
    multiples = [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]
    free = [lam for lam in multiples if all(abs(lam - other) >= step / 2 for other in named)]
    return {lam: named.get(lam) for lam in sorted([*free, *named])}


def nearest(lam: float, levels: Sequence[Level]) -> int:
    """Position of the level whose achieved log-SNR is nearest to ``lam``."""
    return min(range(len(levels)), key=lambda k: abs(levels[k].lam - lam))


def _name(level: Level, step: float) -> float:
    met = abs(level.requested - level.lam) < step / 2
    return round(level.requested if met else level.lam, 2) + 0.0  # no minus before a zero
