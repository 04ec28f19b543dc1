"""The complementarity page's numbers, cached by exploration, OOD set and pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from cfs_explore.contracts import Tap
from cfs_explore.diagnostics import (
    SCALES,
    SIDES,
    StraddleShare,
    complementarity,
    joint_separability,
    straddle_share,
)
from cfs_explore.figures import short_tap_name
from cfs_explore.store import Run
from cfs_explore.ui import data

#: The scale that a page shows -> how its scores become it.
TRANSFORMS = dict(zip(SCALES, (np.asarray, np.log), strict=True))


@dataclass(frozen=True)
class Pair:
    """What the page compares: two taps at one level on one OOD set.

    Attributes:
        ood: name of the OOD set.
        level: position among the run's levels.
        first, second: positions among the run's taps; in the question's place of encoder and decoder.
        names: how sentences call them, "the encoder" and "the decoder" where they are.
        short: their short names.
    """

    ood: str
    level: int
    first: int
    second: int
    names: tuple[str, str]
    short: tuple[str, str]


def make_pair(run: Run, ood: str, level: int, first: int, second: int) -> Pair:
    """The pair with its names."""
    taps = run.taps[first], run.taps[second]
    short = tuple(short_tap_name(tap.name) for tap in taps)
    straddling = SIDES[taps[0].region] < 0 < SIDES[taps[1].region]
    names = ("the encoder", "the decoder") if straddling else short
    return Pair(ood, level, first, second, names, short)


def stem(run: Run, pair: Pair) -> str:
    """Beginning of this page's file names."""
    return f"{run.path.name}-{pair.ood}-{pair.short[0]}-{pair.short[1]}-level{pair.level}".replace(" ", "-")


def default_pair(run: Run) -> tuple[str, str]:
    """The published CFS(1x2) pair; without one, the first tap and the last on the other side of the bottleneck."""
    if "sparse_ed" in run.manifest.presets:
        encoder, decoder = run.manifest.presets["sparse_ed"]
        return encoder, decoder
    first = tap_order(run.taps, -1)[0]
    others = [tap for tap in tap_order(run.taps, 1) if tap != first]
    return first.name, others[0].name if others else first.name


def tap_order(taps: list[Tap], side: int) -> list[Tap]:
    """All taps, those on this side of the bottleneck (-1 encoder, 1 decoder) first, else in order of execution."""
    return sorted(taps, key=lambda tap: SIDES[tap.region] != side)


@st.cache_resource(max_entries=12, show_spinner=False)
def mean_scores(_run: Run, digest: str, role: str, name: str | None) -> np.ndarray:
    """Slot scores averaged over draws, float64 (level, tap, image)."""
    return data.scores(_run, digest, role, name).mean(axis=1, dtype=np.float64).transpose(1, 2, 0)


def pair_scores(run: Run, pair: Pair, levels: slice | list[int]) -> list[np.ndarray]:
    """First and second tap's scores of ID and then of OOD images: four times (level, image)."""
    sets = [mean_scores(run, run.digest, *which) for which in (("id_test", None), ("ood", pair.ood))]
    return [scores[levels, tap] for scores in sets for tap in (pair.first, pair.second)]


@st.cache_resource(max_entries=256, show_spinner=False)
def numbers(_run: Run, digest: str, pair: Pair) -> pd.DataFrame:
    """Two rows, by scale: every number of the pair (theory 5 to 9)."""
    return complementarity(*pair_scores(_run, pair, [pair.level])).set_index("scale")


@st.cache_resource(max_entries=256, show_spinner=False)
def gains(_run: Run, digest: str, ood: str, first: int, second: int, scale: str) -> pd.DataFrame:
    """A row per level: the separability of the pair on this scale; no rows where a score has no logarithm."""
    pair = make_pair(_run, ood, 0, first, second)
    scores = pair_scores(_run, pair, slice(None))
    if scale == "ln s" and min(values.min() for values in scores) <= 0:
        return pd.DataFrame()
    frame = joint_separability(*map(TRANSFORMS[scale], scores))
    lams = [level.lam for level in _run.levels]
    return pd.concat([pd.DataFrame({"level": range(len(lams)), "lam": lams}), frame], axis=1)


@st.cache_resource(max_entries=64, show_spinner=False)
def straddling(_run: Run, digest: str, ood: str, level: int) -> StraddleShare | None:
    """Whether the top pairs of a level straddle the bottleneck."""
    pairs = data.table(_run, digest, "pair_gain")
    return straddle_share(pairs[(pairs["ood"] == ood) & (pairs["level"] == level)], _run.taps)
