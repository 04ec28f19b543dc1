"""The trained backbone's best cell against a control's best cell, each picked on images that do not judge it.

A control may have its signal elsewhere than the trained backbone: comparing cell by cell would then flatter the
trained one. So both sides choose, on the same half of the images, and are judged on the same other half (theory 3, 18).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cfs_explore.diagnostics.checks import ScoreError, require_level, score_rows
from cfs_explore.diagnostics.delong import DeLong
from cfs_explore.diagnostics.excess import Placed, copies_spread, paired_interval
from cfs_explore.diagnostics.groups import Groups, independent
from cfs_explore.diagnostics.intervals import auroc_interval
from cfs_explore.diagnostics.splits import (
    FEWEST,
    SPLITS,
    Half,
    Picked,
    SplitPool,
    Splits,
    draw_splits,
    judging_variances,
)

#: ID scores (cells, n_id) and OOD scores (cells, n_ood) to choose from.
Pool = tuple[np.ndarray, np.ndarray]
#: Columns of the result, after ``control``.
_COLUMNS = ("trained", "trained_lo", "trained_hi", "auroc", "auroc_lo", "auroc_hi", "excess", "lo", "hi", "p")


def best_excess(
    trained: Pool,
    controls: Mapping[str, list[Pool]],
    *,
    groups: Groups | None = None,
    repeats: int = SPLITS,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Split-half AUROC of the trained best cell and of each control's best cell, and their difference.

    The splits are those of ``best_cell`` with the same seed, so on the same scores ``trained`` is its honest value.
    A control's copies (seeds) choose each for itself; their AUROCs are averaged. Variances are the means over splits
    of (V_1 + V_2) / 4, V_i the DeLong variance on a judging half, as in ``best_cell``; the spread of the copies is
    added (theory 29). A control of a single cell has nothing to choose: its own AUROC is that of all images.

    Args:
        trained: the map's cells.
        controls: name -> the pools of its copies, on the same images in the same order.
        groups: of the images, which a split leaves whole; None where each is alone.
        repeats, seed: of the splits.

    Returns:
        A row per control, the columns of ``best_excess`` (``studies.controls``) from control to p. All NaN with fewer
        than 4 images or groups in a class, too few to choose on one half.

    Raises:
        ScoreError: an empty pool, other images, NaN or infinity.
    """
    require_level(level)
    pools = {name: [score_rows(*pool) for pool in copies] for name, copies in controls.items()}
    trained = score_rows(*trained)
    n_id, n_ood = trained[0].shape[1], trained[1].shape[1]
    _check(trained, pools, n_id, n_ood, repeats)
    splits = draw_splits(n_id, n_ood, repeats, seed, groups)
    own = SplitPool.of(*trained, splits)
    rows = {
        name: excess_of_pools(own, [SplitPool.of(*pool, splits) for pool in copies], splits, level)
        for name, copies in pools.items()
    }
    return pd.DataFrame([{"control": name, **row} for name, row in rows.items()])


def excess_of_pools(
    trained: SplitPool, copies: list[SplitPool], splits: Splits, level: float = 0.95
) -> dict[str, float]:
    """A row of ``best_excess``, without the control's name, of pools that have been judged on the splits already."""
    apart = independent(splits.groups, trained.id.shape[1], trained.ood.shape[1])
    if min(apart) < FEWEST:
        return dict.fromkeys(_COLUMNS, np.nan)
    own, picked = trained.best, [pool.best for pool in copies]
    var, control_var, difference_var = _variances(trained, own, copies, picked, splits)
    first = DeLong(np.array([own.auroc.mean()]), var)
    aurocs = np.array([[pick.auroc.mean()] for pick in picked])
    second = _fixed(copies, splits.groups) or DeLong(aurocs.mean(axis=0), control_var)
    spread = copies_spread(aurocs, difference_var)
    columns = {"trained": first.auroc, "auroc": second.auroc}
    for name, side in (("trained", first), ("auroc", DeLong(second.auroc, second.var + spread[0]))):
        columns[f"{name}_lo"], columns[f"{name}_hi"] = auroc_interval(*side, *apart, level)
    lo, hi, p = paired_interval(first, second, difference_var, *apart, level, *spread)
    columns |= {"excess": first.auroc - second.auroc, "lo": lo, "hi": hi, "p": p}
    return {name: float(columns[name][0]) for name in _COLUMNS}


def _check(trained: Pool, pools: dict[str, list[Pool]], n_id: int, n_ood: int, repeats: int) -> None:
    if repeats < 1:
        raise ScoreError(f"best_excess needs at least one split. Got repeats = {repeats}.")
    for name, copies in {"trained": [trained], **pools}.items():
        if not copies or any(len(a) == 0 or (a.shape[1], b.shape[1]) != (n_id, n_ood) for a, b in copies):
            raise ScoreError(f"{name} needs at least one cell, scored on the same {n_id} ID and {n_ood} OOD images.")


def _fixed(copies: list[SplitPool], groups: Groups | None) -> DeLong | None:
    """AUROC on all images of a control without a choice; None where there is one."""
    if any(len(pool.id) > 1 for pool in copies):
        return None
    return Placed.mean([Placed.of(pool.id, pool.ood, groups) for pool in copies]).judged


def _variances(
    trained: SplitPool, own: Picked, copies: list[SplitPool], picked: list[Picked], splits: Splits
) -> np.ndarray:
    """Of the trained side, of the control and of their difference, (3, 1)."""

    def judge(place: tuple[int, int], half: Half) -> list[np.ndarray]:
        mine = Placed.of_picked(trained.id, trained.ood, own.cell[place], half)
        theirs = Placed.mean(
            [
                Placed.of_picked(pool.id, pool.ood, pick.cell[place], half)
                for pool, pick in zip(copies, picked, strict=True)
            ]
        )
        return [mine.judged.var, theirs.judged.var, mine.minus(theirs).judged.var]

    return judging_variances(splits, judge)
