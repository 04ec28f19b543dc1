"""The trained backbone's best cell against a control's best cell, each picked on images that do not judge it.

A control may have its signal elsewhere than the trained backbone: comparing cell by cell would then flatter the
trained one. So both sides choose, on the same half of the images, and are judged on the same other half (theory 3, 18).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from cfs_explore.diagnostics.checks import ScoreError, require_level, score_rows
from cfs_explore.diagnostics.delong import DeLong, auroc_interval, delong
from cfs_explore.diagnostics.excess import Placed, difference_interval

#: ID scores (cells, n_id) and OOD scores (cells, n_ood) to choose from.
Pool = tuple[np.ndarray, np.ndarray]
#: A half must hold two images of each class, or it has no variance.
_FEWEST = 4
#: Columns of the result, after ``control``.
_COLUMNS = ("trained", "trained_lo", "trained_hi", "auroc", "auroc_lo", "auroc_hi", "excess", "lo", "hi", "p")


class _Judged(NamedTuple):
    """What picks give on the judging half: AUROC and variance of either side, and variance of their difference."""

    trained: float
    trained_var: float
    control: float
    control_var: float
    difference_var: float


def best_excess(
    trained: Pool, controls: Mapping[str, list[Pool]], *, repeats: int = 20, seed: int = 0, level: float = 0.95
) -> pd.DataFrame:
    """Split-half AUROC of the trained best cell and of each control's best cell, and their difference.

    The splits are those of ``best_cell`` with the same seed, so on the same scores ``trained`` is its honest value.
    A control's copies (seeds) choose each for itself; their AUROCs are averaged. Variances are the means over splits
    of (V_1 + V_2) / 4, V_i the DeLong variance on a judging half, as in ``best_cell``. A control of a single cell has
    nothing to choose: its own AUROC is that of all images.

    Args:
        trained: the map's cells.
        controls: name -> the pools of its copies, on the same images in the same order.
        repeats, seed: of the splits.

    Returns:
        A row per control: control; trained, trained_lo, trained_hi; auroc, auroc_lo, auroc_hi (of the control); excess,
        lo, hi, p. All NaN with fewer than 4 images in a class, too few to choose on one half.

    Raises:
        ScoreError: an empty pool, other images, NaN or infinity.
    """
    require_level(level)
    pools = {name: [score_rows(*pool) for pool in copies] for name, copies in controls.items()}
    trained = score_rows(*trained)
    n_id, n_ood = trained[0].shape[1], trained[1].shape[1]
    _check(trained, pools, n_id, n_ood, repeats)
    if min(n_id, n_ood) < _FEWEST:
        return pd.DataFrame({"control": list(pools)}).assign(**dict.fromkeys(_COLUMNS, np.nan))
    rng = np.random.default_rng(seed)
    judged: dict[str, list[_Judged]] = {name: [] for name in pools}
    for _ in range(repeats):
        id_halves, ood_halves = np.array_split(rng.permutation(n_id), 2), np.array_split(rng.permutation(n_ood), 2)
        halves = list(zip(id_halves, ood_halves, strict=True))
        for picking, judging in (halves, halves[::-1]):
            own = _judge(trained, picking, judging)
            for name, copies in pools.items():
                judged[name].append(_compare(own, [_judge(pool, picking, judging) for pool in copies]))
    rows = {name: _row(judged[name], _fixed(copies), n_id, n_ood, level) for name, copies in pools.items()}
    return pd.DataFrame([{"control": name, **row} for name, row in rows.items()])


def _check(trained: Pool, pools: dict[str, list[Pool]], n_id: int, n_ood: int, repeats: int) -> None:
    if repeats < 1:
        raise ScoreError(f"best_excess needs at least one split. Got repeats = {repeats}.")
    for name, copies in {"trained": [trained], **pools}.items():
        if not copies or any(len(a) == 0 or (a.shape[1], b.shape[1]) != (n_id, n_ood) for a, b in copies):
            raise ScoreError(f"{name} needs at least one cell, scored on the same {n_id} ID and {n_ood} OOD images.")


def _fixed(copies: list[Pool]) -> DeLong | None:
    """AUROC on all images of a control without a choice; None where there is one."""
    if any(len(id_rows) > 1 for id_rows, _ in copies):
        return None
    return Placed.mean([Placed.of(*pool) for pool in copies]).judged


def _judge(pool: Pool, picking: tuple[np.ndarray, np.ndarray], judging: tuple[np.ndarray, np.ndarray]) -> Placed:
    """Placements, on the judging half, of the cell that is best on the picking half."""
    picked = int(delong(*(rows[:, half] for rows, half in zip(pool, picking, strict=True))).auroc.argmax())
    return Placed.of(*(rows[picked : picked + 1, half] for rows, half in zip(pool, judging, strict=True)))


def _compare(own: Placed, copies: list[Placed]) -> _Judged:
    control = Placed.mean(copies)
    values = (*own.judged, *control.judged, own.minus(control).judged.var)
    return _Judged(*(float(value[0]) for value in values))


def _row(parts: list[_Judged], fixed: DeLong | None, n_id: int, n_ood: int, level: float) -> dict[str, float]:
    """Means over the splits and directions, with intervals."""
    mean = _Judged(*np.mean(parts, axis=0, keepdims=True).T)
    trained, control = DeLong(mean.trained, mean.trained_var / 2), DeLong(mean.control, mean.control_var / 2)
    control = fixed or control
    columns = {"trained": trained.auroc, "auroc": control.auroc}
    for name, side in (("trained", trained), ("auroc", control)):
        columns[f"{name}_lo"], columns[f"{name}_hi"] = auroc_interval(*side, n_id, n_ood, level)
    lo, hi, p = difference_interval(trained, control, mean.difference_var / 2, n_id, n_ood, level)
    columns |= {"excess": trained.auroc - control.auroc, "lo": lo, "hi": hi, "p": p}
    return {name: float(columns[name][0]) for name in _COLUMNS}
