"""Two taps at one level on one OOD set: what they are called, their scores, and the numbers of theory 5 to 9."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cfs_explore.charts import short_tap_name
from cfs_explore.diagnostics import SCALES, SIDES, Groups, complementarity, joint_separability
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.needs import NotMeasuredError
from cfs_explore.scoring import mean_over_draws
from cfs_explore.store import Run

ONE_TAP = "This exploration measured a single tap: there is no pair to compare."
SAME_TAP = "Choose two different taps to compare."
#: The scale that a page shows -> how its scores become it.
TRANSFORMS = dict(zip(SCALES, (np.asarray, np.log), strict=True))


@dataclass(frozen=True)
class Pair:
    """What two taps are called; the first is in the question's place of the encoder.

    Attributes:
        names: in sentences, "the encoder" and "the decoder" where they are.
        short: their short names.
    """

    names: tuple[str, str]
    short: tuple[str, str]


def pair_of(run: Run, choices: Choices) -> Pair:
    """The chosen pair.

    Raises:
        NotMeasuredError: it is one tap twice.
    """
    first, second = choices.pair
    if first == second:
        raise NotMeasuredError(ONE_TAP if len(run.taps) < 2 else SAME_TAP)
    taps = run.taps[first], run.taps[second]
    short = tuple(short_tap_name(tap.name) for tap in taps)
    straddling = SIDES[taps[0].region] < 0 < SIDES[taps[1].region]
    return Pair(("the encoder", "the decoder") if straddling else short, short)


def pair_scores(run: Run, choices: Choices) -> list[np.ndarray]:
    """First and second tap's scores of ID and then of OOD images at the chosen level: four times (image,)."""
    level = slice(choices.level, choices.level + 1)
    return [scores[0] for scores in _scores(run, choices.ood, choices.pair, level)]


def pair_numbers(run: Run, choices: Choices) -> pd.DataFrame:
    """Two rows, by scale: every number of the pair at the chosen level (theory 5 to 9)."""
    return run.derived(_numbers, choices.ood, choices.pair, choices.level)


def pair_gains(run: Run, choices: Choices) -> pd.DataFrame:
    """A row per level: the separability of the pair on the scale; no rows where a score has no logarithm."""
    return run.derived(_gains, choices.ood, choices.pair, choices.scale)


def _scores(run: Run, ood: str, pair: tuple[int, int], levels: slice) -> list[np.ndarray]:
    """Averaged over draws, float64 (level, image), four times as of ``pair_scores``."""
    sets = (run.scores(*which)[:, :, levels, list(pair)] for which in (("id_test",), ("ood", ood)))
    return [side for scores in sets for side in mean_over_draws(scores).transpose(2, 1, 0)]


def _numbers(run: Run, ood: str, pair: tuple[int, int], level: int) -> pd.DataFrame:
    scores = _scores(run, ood, pair, slice(level, level + 1))
    return complementarity(*scores, groups=Groups.of(*run.group_names(ood))).set_index("scale")


def _gains(run: Run, ood: str, pair: tuple[int, int], scale: str) -> pd.DataFrame:
    scores = _scores(run, ood, pair, slice(None))
    if scale == "ln s" and min(values.min() for values in scores) <= 0:
        return pd.DataFrame()
    frame = joint_separability(*map(TRANSFORMS[scale], scores), groups=Groups.of(*run.group_names(ood)))
    lams = [level.lam for level in run.levels]
    return pd.concat([pd.DataFrame({"level": range(len(lams)), "lam": lams}), frame], axis=1)
