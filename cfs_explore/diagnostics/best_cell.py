"""The best cell, judged on images that did not choose it (theory 3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cfs_explore.contracts import Cell
from cfs_explore.diagnostics.checks import ScoreError, cell_rows, require_level, score_maps
from cfs_explore.diagnostics.delong import auroc_interval, delong
from cfs_explore.diagnostics.metrics import Estimate, auroc

#: A half must hold two images of each class, or it has no variance.
_FEWEST = 4


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

    @property
    def optimism(self) -> float:
        """Naive maximum minus honest estimate."""
        return self.naive.value - self.honest.value


def best_cell(
    id_scores: np.ndarray, ood_scores: np.ndarray, *, repeats: int = 20, seed: int = 0, level: float = 0.95
) -> BestCell:
    """Split-half estimate of the best cell's AUROC, beside the naive maximum.

    Each split halves the ID and the OOD images at random; the cell with the largest AUROC on one half is
    judged on the other, and the other way round. The honest value is the mean of all these; it tells what
    picking with half the images gives. The interval is honest -+ z sqrt(V), V = the mean over splits of the
    variance of the two directions' mean, (V_1 + V_2) / 4 with V_i the DeLong variance on the judging half.
    Splits share images, so averaging over them lowers the variance by an unknown amount that is not claimed.

    Args:
        id_scores: (n_id >= 4, draws, L, T). ood_scores: (n_ood >= 4, draws, L, T). A cell's score is the mean
            over draws.
        repeats: number of splits. seed: of the splits.

    Raises:
        ScoreError: shapes that do not match, too few images, NaN or infinity.
    """
    require_level(level)
    id_scores, ood_scores = score_maps(id_scores, ood_scores)
    n_id, n_ood = len(id_scores), len(ood_scores)
    if min(n_id, n_ood) < _FEWEST or repeats < 1:
        raise ScoreError(
            f"best_cell needs at least {_FEWEST} ID and {_FEWEST} OOD images and one split. "
            f"Got {n_id}, {n_ood} and repeats = {repeats}."
        )
    id_rows, ood_rows = cell_rows(id_scores), cell_rows(ood_scores)
    rng = np.random.default_rng(seed)
    picked, judged, variances = np.array(
        [_one_split(id_rows, ood_rows, rng.permutation(n_id), rng.permutation(n_ood)) for _ in range(repeats)]
    ).transpose(1, 0, 2)  # each (repeats, 2 directions)

    honest = float(judged.mean())
    variance = variances.sum(axis=1).mean() / 4  # zero under perfect separation, where the interval has a floor
    lo, hi = auroc_interval(np.array([honest]), np.array([variance]), n_id, n_ood, level)
    best = int(delong(id_rows, ood_rows).auroc.argmax())
    taps = id_scores.shape[3]
    return BestCell(
        honest=Estimate(honest, float(lo[0]), float(hi[0])),
        split_sd=float(judged.mean(axis=1).std(ddof=1)) if repeats > 1 else float("nan"),
        naive=auroc(id_rows[best], ood_rows[best], level),
        naive_cell=Cell(*divmod(best, taps)),
        picks=_count_picks(picked.astype(int), taps),
        repeats=repeats,
    )


def _one_split(
    id_rows: np.ndarray, ood_rows: np.ndarray, id_order: np.ndarray, ood_order: np.ndarray
) -> tuple[list[float], list[float], list[float]]:
    """Picked cell, its AUROC on the other half and that variance, for both directions of one split."""
    halves = zip(np.array_split(id_order, 2), np.array_split(ood_order, 2), strict=True)
    first, second = (delong(id_rows[:, i], ood_rows[:, j]) for i, j in halves)  # one half in memory at a time
    picks = [int(first.auroc.argmax()), int(second.auroc.argmax())]
    return (
        picks,
        [second.auroc[picks[0]], first.auroc[picks[1]]],
        [second.var[picks[0]], first.var[picks[1]]],
    )


def _count_picks(picked: np.ndarray, taps: int) -> pd.DataFrame:
    cells, counts = np.unique(picked, return_counts=True)
    frame = pd.DataFrame({"level": cells // taps, "tap": cells % taps, "picked": counts, "share": counts / picked.size})
    return frame.sort_values("picked", ascending=False, kind="stable", ignore_index=True)
