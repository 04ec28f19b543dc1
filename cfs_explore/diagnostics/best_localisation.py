"""The map that finds what is marked best, and its controls, each picked on other images than judge it (24, 30)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cfs_explore.diagnostics.delong import DeLong
from cfs_explore.diagnostics.excess import paired_interval
from cfs_explore.diagnostics.groups import Groups
from cfs_explore.diagnostics.intervals import auroc_interval
from cfs_explore.diagnostics.localisation import Pairs, group_variance
from cfs_explore.diagnostics.splits import (
    FEWEST,
    SPLITS,
    Half,
    Picked,
    Splits,
    best_of_halves,
    judging_variances,
)

#: Columns of the result, after ``control``.
_COLUMNS = ("trained", "trained_lo", "trained_hi", "auroc", "auroc_lo", "auroc_hi", "excess", "lo", "hi", "p")


def best_localisation(
    trained: Pairs, controls: Mapping[str, Pairs], *, repeats: int = SPLITS, seed: int = 0, level: float = 0.95
) -> pd.DataFrame:
    """Split-half pixel AUROC of the trained network's best map and of each control's, and their paired difference.

    As ``best_excess`` does it with scores: either side picks on the same half of the images and is judged on the other;
    groups stay whole; variances are means over splits of (V_1 + V_2) / 4. A control of a single map has nothing to
    choose: its own AUROC is that of all images.

    Args:
        trained: maps to choose from. controls: name -> maps of the same images.
        repeats, seed: of the splits. level: confidence.

    Returns:
        A row per control, the columns of ``localisation_best`` (``studies.where``) from control to p. All NaN where a
        kind of pixels is in fewer than 4 groups, or there is no map.
    """
    apart = tuple(int(n) for n in (trained.sizes > 0).sum(axis=1))
    if min(apart) < FEWEST or not len(trained.pairs):
        return pd.DataFrame([{"control": name, **dict.fromkeys(_COLUMNS, np.nan)} for name in controls])
    first = _halves(trained.sizes, repeats, seed)
    own = best_of_halves(*trained.halves(first))
    rows = []
    for name, control in controls.items():
        picked = best_of_halves(*control.halves(first))
        var, control_var, difference_var = _variances(trained, own, control, picked, first)
        mine = DeLong(np.array([own.auroc.mean()]), var)
        fixed = len(control.pairs) == 1
        theirs = control.judged if fixed else DeLong(np.array([picked.auroc.mean()]), control_var)
        columns = {"trained": mine.auroc, "auroc": theirs.auroc, "excess": mine.auroc - theirs.auroc}
        for side, judged in (("trained", mine), ("auroc", theirs)):
            columns[f"{side}_lo"], columns[f"{side}_hi"] = auroc_interval(*judged, *apart, level)
        columns |= zip(("lo", "hi", "p"), paired_interval(mine, theirs, difference_var, *apart, level), strict=True)
        rows.append({"control": name, **{column: float(columns[column][0]) for column in _COLUMNS}})
    return pd.DataFrame(rows, columns=["control", *_COLUMNS])


def _halves(sizes: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Random halves of the groups, bool (split, group); groups with both kinds of pixels and with one kind apart."""
    places = [np.flatnonzero(kind > 0) for kind in sizes]
    first = np.zeros((count, sizes.shape[1]), dtype=bool)
    for where, half in zip(places, Groups(*places).halves(count, np.random.default_rng(seed)), strict=True):
        first[:, where] = half
    return first


def _variances(trained: Pairs, own: Picked, control: Pairs, picked: Picked, first: np.ndarray) -> np.ndarray:
    """Of the trained side, of the control and of their difference, (3, 1)."""

    def judge(place: tuple[int, int], half: Half) -> list[np.ndarray]:
        mine, theirs = (
            pool.at([choice.cell[place]]).part(half.id) for pool, choice in ((trained, own), (control, picked))
        )
        return [mine.judged.var, theirs.judged.var, group_variance(mine.moved - theirs.moved, mine.sizes)]

    return judging_variances(Splits(first, first), judge)
