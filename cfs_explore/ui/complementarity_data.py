"""The complementarity page's numbers, cached by exploration, OOD set and pair."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cfs_explore.diagnostics import StraddleShare, straddle_share
from cfs_explore.plates import pair as computed
from cfs_explore.plates.pair import Pair, make_pair
from cfs_explore.store import Run
from cfs_explore.ui import data


@data.kept(max_entries=12)
def mean_scores(run: Run, role: str, name: str | None) -> np.ndarray:
    """Slot scores averaged over draws, float64 (level, tap, image)."""
    return computed.mean_scores(run.scores(role, name))


def pair_scores(run: Run, pair: Pair, levels: slice | list[int]) -> list[np.ndarray]:
    """First and second tap's scores of ID and then of OOD images: four times (level, image)."""
    sets = (mean_scores(run, *which) for which in (("id_test", None), ("ood", pair.ood)))
    return computed.pair_scores(*sets, pair, levels)


@data.kept(max_entries=256)
def numbers(run: Run, pair: Pair) -> pd.DataFrame:
    """Two rows, by scale: every number of the pair (theory 5 to 9)."""
    return computed.pair_numbers(run, pair.ood, pair_scores(run, pair, [pair.level]))


@data.kept(max_entries=256)
def gains(run: Run, ood: str, first: int, second: int, scale: str) -> pd.DataFrame:
    """A row per level: the separability of the pair on this scale; no rows where a score has no logarithm."""
    pair = make_pair(run, ood, 0, first, second)
    return computed.pair_gains(run, ood, pair_scores(run, pair, slice(None)), scale)


@data.kept(max_entries=64)
def straddling(run: Run, ood: str, level: int) -> StraddleShare | None:
    """Whether the top pairs of a level straddle the bottleneck."""
    pairs = run.table("pair_gain")
    return straddle_share(pairs[(pairs["ood"] == ood) & (pairs["level"] == level)], run.taps)
