"""The detectors that pages and figures read: published presets, cells averaged, one cell; and what people call them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from cfs_explore.charts import short_tap_name
from cfs_explore.charts.theme import format_value
from cfs_explore.detectors.stored import StoredDetector, cells_detector, stored_detectors
from cfs_explore.store import Run

PRESETS = ("CFS(1x2)", "CFS-dec(1x1)")


def preset_cells(detectors: pd.DataFrame) -> dict[str, list[int]]:
    """Preset -> its cell indices, of a run's table ``detectors``; empty for a backbone without presets."""
    rows = detectors[detectors["name"].isin(PRESETS)].drop_duplicates("name") if len(detectors) else detectors
    return {row["name"]: [int(i) for i in row["cell_indices"]] for row in rows.to_dict("records")}


def presets(run: Run) -> dict[str, StoredDetector]:
    """The published detectors that a run has, by name."""
    return {name: found for name, found in stored_detectors(run).items() if name in PRESETS}


def detector_of(run: Run, indices: Sequence[int]) -> StoredDetector:
    """The detector of these cells, called as people say it."""
    return cells_detector(run, indices, detector_name(run, indices))


def cell_label(run: Run, index: int) -> str:
    """A cell as people say it: 'up1.res1 @ λ 5.0'."""
    level, tap = divmod(index, len(run.taps))
    return f"{short_tap_name(run.taps[tap].name)} @ λ {format_value(run.levels[level].lam, 1)}"


def detector_name(run: Run, indices: Sequence[int]) -> str:
    """The detector of these cells as people say it: the preset that it is, its only cell, or 'mean of 3 cells'."""
    for name, cells in preset_cells(run.table("detectors")).items():
        if cells == list(indices):
            return name
    return cell_label(run, indices[0]) if len(indices) == 1 else f"mean of {len(indices)} cells"
