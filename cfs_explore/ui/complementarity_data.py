"""The complementarity page's numbers, cached by exploration, OOD set and pair."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from cfs_explore.diagnostics import StraddleShare, straddle_share
from cfs_explore.plates import pair as computed
from cfs_explore.plates.pair import Pair, make_pair
from cfs_explore.store import Run
from cfs_explore.ui import data


@st.cache_resource(max_entries=12, show_spinner=False)
def mean_scores(_run: Run, digest: str, role: str, name: str | None) -> np.ndarray:
    """Slot scores averaged over draws, float64 (level, tap, image)."""
    return computed.mean_scores(data.scores(_run, digest, role, name))


def pair_scores(run: Run, pair: Pair, levels: slice | list[int]) -> list[np.ndarray]:
    """First and second tap's scores of ID and then of OOD images: four times (level, image)."""
    sets = (mean_scores(run, run.digest, *which) for which in (("id_test", None), ("ood", pair.ood)))
    return computed.pair_scores(*sets, pair, levels)


@st.cache_resource(max_entries=256, show_spinner=False)
def numbers(_run: Run, digest: str, pair: Pair) -> pd.DataFrame:
    """Two rows, by scale: every number of the pair (theory 5 to 9)."""
    return computed.pair_numbers(_run, pair.ood, pair_scores(_run, pair, [pair.level]))


@st.cache_resource(max_entries=256, show_spinner=False)
def gains(_run: Run, digest: str, ood: str, first: int, second: int, scale: str) -> pd.DataFrame:
    """A row per level: the separability of the pair on this scale; no rows where a score has no logarithm."""
    pair = make_pair(_run, ood, 0, first, second)
    return computed.pair_gains(_run, ood, pair_scores(_run, pair, slice(None)), scale)


@st.cache_resource(max_entries=64, show_spinner=False)
def straddling(_run: Run, digest: str, ood: str, level: int) -> StraddleShare | None:
    """Whether the top pairs of a level straddle the bottleneck."""
    pairs = data.table(_run, digest, "pair_gain")
    return straddle_share(pairs[(pairs["ood"] == ood) & (pairs["level"] == level)], _run.taps)
