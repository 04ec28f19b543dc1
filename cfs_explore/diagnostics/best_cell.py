"""The best cell, judged on images that did not choose it (theory 3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cfs_explore.contracts import Cell
from cfs_explore.diagnostics.checks import ScoreError, cell_rows, require_level, score_maps
from cfs_explore.diagnostics.delong import delong
from cfs_explore.diagnostics.groups import Groups, independent
from cfs_explore.diagnostics.intervals import auroc_interval
from cfs_explore.diagnostics.metrics import Estimate, auroc
from cfs_explore.diagnostics.splits import FEWEST, SPLITS, Half, draw_splits, judging_variances, pick_best


@dataclass(frozen=True)
class BestCell:
    """What picking the best cell is worth.

    Attributes:
        honest: AUROC of the picked cell on the half that did not pick it, mean over splits, with
            its interval.
        split_sd: standard deviation over splits of that AUROC: how much the answer hangs on the split.
        naive: the largest AUROC of all cells on all images, biased upwards; its interval ignores the choice.
        naive_cell: the cell that has it.
        picks: level, tap (positions), picked (times), share: the cells that were picked, most often first.
        repeats: number of splits; each is used in both directions.
    """

    honest: Estimate
    split_sd: float
    naive: Estimate
    naive_cell: Cell
    picks: pd.DataFrame
    repeats: int


def best_cell(
    id_scores: np.ndarray,
    ood_scores: np.ndarray,
    *,
    groups: Groups | None = None,
    repeats: int = SPLITS,
    seed: int = 0,
    level: float = 0.95,
) -> BestCell:
    """Split-half estimate of the best cell's AUROC, beside the naive maximum.

    Each split halves the ID and the OOD images at random; the cell with the largest AUROC on one half is
    judged on the other, and the other way round. The honest value is the mean of all these; it says what
    picking with half the images gives. The interval is ``auroc_interval`` with the mean over splits of the
    variance of the two directions' mean, (V_1 + V_2) / 4 with V_i the DeLong variance on the judging half.
    Splits share images, so averaging over them lowers the variance by an unknown amount that is not claimed.

    Args:
        id_scores: (n_id >= 4, draws, L, T). ood_scores: (n_ood >= 4, draws, L, T). A cell's score is the mean
            over draws.
        groups: of the images, which a split leaves whole; None where each is alone.
        repeats: number of splits. seed: of the splits.

    Raises:
        ScoreError: shapes that do not match, too few images, NaN or infinity.
    """
    require_level(level)
    id_scores, ood_scores = score_maps(id_scores, ood_scores)
    n_id, n_ood = len(id_scores), len(ood_scores)
    apart = independent(groups, n_id, n_ood)
    if min(apart) < FEWEST or repeats < 1:
        raise ScoreError(
            f"best_cell needs at least {FEWEST} ID and {FEWEST} OOD images (or groups of them) and one split. "
            f"Got {apart[0]}, {apart[1]} and repeats = {repeats}."
        )
    id_rows, ood_rows = cell_rows(id_scores), cell_rows(ood_scores)
    splits = draw_splits(n_id, n_ood, repeats, seed, groups)
    picked = pick_best(id_rows, ood_rows, splits)
    honest = float(picked.auroc.mean())

    def judge(place: tuple[int, int], half: Half) -> list[np.ndarray]:
        cell = picked.cell[place]
        return [delong(id_rows[None, cell, half.id], ood_rows[None, cell, half.ood], half.groups).var]

    (variance,) = judging_variances(splits, judge)
    lo, hi = auroc_interval(np.array([honest]), variance, *apart, level)
    best = int(delong(id_rows, ood_rows).auroc.argmax())
    taps = id_scores.shape[3]
    return BestCell(
        honest=Estimate(honest, float(lo[0]), float(hi[0])),
        split_sd=float(picked.auroc.mean(axis=1).std(ddof=1)) if repeats > 1 else float("nan"),
        naive=auroc(id_rows[best], ood_rows[best], level, groups),
        naive_cell=Cell.at(best, taps),
        picks=_count_picks(picked.cell, taps),
        repeats=repeats,
    )


def _count_picks(picked: np.ndarray, taps: int) -> pd.DataFrame:
    cells, counts = np.unique(picked, return_counts=True)
    frame = pd.DataFrame({"level": cells // taps, "tap": cells % taps, "picked": counts, "share": counts / picked.size})
    return frame.sort_values("picked", ascending=False, kind="stable", ignore_index=True)
