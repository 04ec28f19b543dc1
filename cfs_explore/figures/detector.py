"""The detectors that pages and figures read: published presets, cells averaged, one cell; and what people call them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from cfs_explore.charts import short_tap_name
from cfs_explore.contracts import SATURATED
from cfs_explore.detectors.stored import StoredCells, cells_detector
from cfs_explore.diagnostics import Estimate
from cfs_explore.store import Run
from cfs_explore.wording import format_value

#: The encoder-decoder pair, and its decoder tap alone.
PRESETS = ("CFS(1x2)", "CFS-dec(1x1)")


class Justified(NamedTuple):
    """The best detector that a run can justify for one OOD set, and what it was weighed against.

    Attributes:
        cells: what scores the images, cell indices.
        name: as people say it.
        kind: "pair" (published), "cell" (the best one), or "first" where there is neither.
        pair: AUROC of the published pair; None for a backbone without one.
        cell: AUROC of the best cell on images that did not choose it; None with too few images.
    """

    cells: tuple[int, ...]
    name: str
    kind: str
    pair: Estimate | None
    cell: Estimate | None


def preset_cells(run: Run) -> dict[str, list[int]]:
    """Preset -> the numbers of its cells; empty for a backbone without presets."""
    detectors = run.table("detectors")
    rows = detectors[detectors["name"].isin(PRESETS)].drop_duplicates("name") if len(detectors) else detectors
    return {row["name"]: [int(i) for i in row["cell_indices"]] for row in rows.to_dict("records")}


def justified(run: Run, ood: str) -> Justified:
    """The best single cell or the published pair CFS(1x2), whichever separates more on images that did not choose it.

    The best cell is judged by its honest AUROC (theory 3): picked on one half of the images, measured on the other,
    mean over the splits. The pair was chosen before any of these images was seen, so its AUROC on all of them is as
    honest. The cell must be ahead; where both are saturated, nothing speaks against the pair. The cell that then scores
    is the one with the largest AUROC on all images.
    """
    return run.derived(_justified, ood)


def _justified(run: Run, ood: str) -> Justified:
    detectors, best = (_of_set(run.table(name), ood) for name in ("detectors", "best_cell"))
    cells = preset_cells(run).get(PRESETS[0]) if len(detectors) else None
    rows = detectors[detectors["name"] == PRESETS[0]] if cells else []
    pair = Estimate(*rows.iloc[0][["auroc", "lo", "hi"]].astype(float)) if len(rows) else None
    cell = Estimate(*best.iloc[0][["honest", "honest_lo", "honest_hi"]].astype(float)) if len(best) else None
    if cell and (pair is None or (cell.value > pair.value and pair.value <= SATURATED)):
        index = int(best["cell_index"].iloc[0])
        return Justified((index,), cell_label(run, index), "cell", pair, cell)
    if pair:
        return Justified(tuple(cells), PRESETS[0], "pair", pair, cell)
    return Justified((0,), cell_label(run, 0), "first", pair, cell)


def _of_set(table: pd.DataFrame, ood: str) -> pd.DataFrame:
    return table[table["ood"] == ood] if len(table) else table


def detector_of(run: Run, indices: Sequence[int]) -> StoredCells:
    """The detector of these cells, called as people say it."""
    return cells_detector(run, indices, detector_name(run, indices))


def cell_label(run: Run, index: int) -> str:
    """A cell as people say it: 'up1.res1 @ λ 5.0'."""
    level, tap = run.cell(index)
    return f"{short_tap_name(run.taps[tap].name)} @ λ {format_value(run.levels[level].lam, 1)}"


def detector_name(run: Run, indices: Sequence[int]) -> str:
    """The detector of these cells as people say it: the preset that it is, its only cell, or 'mean of 3 cells'."""
    for name, cells in preset_cells(run).items():
        if cells == list(indices):
            return name
    return cell_label(run, indices[0]) if len(indices) == 1 else f"mean of {len(indices)} cells"
