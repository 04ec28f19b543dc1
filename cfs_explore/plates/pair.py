"""Two taps at one level on one OOD set: what they are called, their scores, and the numbers of theory 5 to 9."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cfs_explore.diagnostics import SCALES, SIDES, Groups, complementarity, joint_separability
from cfs_explore.figures import short_tap_name
from cfs_explore.store import Run

#: The scale that a page shows -> how its scores become it.
TRANSFORMS = dict(zip(SCALES, (np.asarray, np.log), strict=True))


@dataclass(frozen=True)
class Pair:
    """What is compared: two taps at one level on one OOD set.

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


def mean_scores(scores: np.ndarray) -> np.ndarray:
    """Slot scores (image, draw, level, tap) averaged over draws, float64 (level, tap, image)."""
    return scores.mean(axis=1, dtype=np.float64).transpose(1, 2, 0)


def pair_scores(
    id_scores: np.ndarray, ood_scores: np.ndarray, pair: Pair, levels: slice | list[int]
) -> list[np.ndarray]:
    """First and second tap's scores of ID and then of OOD images: four times (level, image).

    Args:
        id_scores, ood_scores: of ``mean_scores``.
        pair: the taps.
        levels: which of the run's.
    """
    return [scores[levels, tap] for scores in (id_scores, ood_scores) for tap in (pair.first, pair.second)]


def pair_numbers(run: Run, ood: str, scores: Sequence[np.ndarray]) -> pd.DataFrame:
    """Two rows, by scale: every number of a pair (theory 5 to 9); ``scores`` of ``pair_scores`` at one level."""
    return complementarity(*scores, groups=Groups.of(*run.group_names(ood))).set_index("scale")


def pair_gains(run: Run, ood: str, scores: Sequence[np.ndarray], scale: str) -> pd.DataFrame:
    """A row per level: the separability of a pair on a scale; no rows where a score has no logarithm.

    Args:
        run: the exploration.
        ood: name of the OOD set.
        scores: of ``pair_scores`` at every level.
        scale: "s" or "ln s".
    """
    if scale == "ln s" and min(values.min() for values in scores) <= 0:
        return pd.DataFrame()
    frame = joint_separability(*map(TRANSFORMS[scale], scores), groups=Groups.of(*run.group_names(ood)))
    lams = [level.lam for level in run.levels]
    return pd.concat([pd.DataFrame({"level": range(len(lams)), "lam": lams}), frame], axis=1)
