"""How near each OOD set is to ID, where an image enters the network and where the set is found best (theory 37)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cfs_explore.diagnostics.nearness import distances
from cfs_explore.errors import RunError
from cfs_explore.headlines.map import best_cell_of
from cfs_explore.scoring import Moments, feature_columns
from cfs_explore.store import Run
from cfs_explore.store.growing import is_growing
from cfs_explore.store.manifest import SetEntry
from cfs_explore.wording import format_value

#: How a caption calls it.
_WHAT = "Squared distance to ID-train per feature, in its variances"


def nearness(run: Run) -> pd.DataFrame:
    """Distances to ID-train in units of its variance: a row per OOD set, in the run's order.

    Columns: ood, n_ood, depth_0 (the first input tap at the cleanest level; without one, the first tap), cell (the best
    one by AUROC on all images; missing with too few), at_best (there); id_depth_0 and id_at_best, the same of ID-test,
    which is 0 but for chance: a set no farther than that is as near as ID itself. No intervals: they need the images.
    """
    rows = [run.derived(_row, name) for name in run.ood_names]
    frame = pd.DataFrame(rows, columns=["ood", "n_ood", "depth_0", "cell", "at_best", "id_depth_0", "id_at_best"])
    return frame.assign(cell=frame["cell"].astype("Int64"))


def _row(run: Run, ood: str) -> dict[str, Any]:
    """Of one set: a map shows no other, and reads the moments of no other."""
    first = next((place for place, tap in enumerate(run.taps) if tap.region == "input"), 0)
    train, test, found = run.moments("id_train"), run.moments("id_test"), run.moments("ood", ood)
    entry, best = run.entry("ood", ood), best_cell_of(ood, run.table("best_cell"))
    row = {"ood": ood, "n_ood": entry.count, "cell": best}
    places = {"depth_0": (0, first), "at_best": None if best is None else tuple(run.cell(best))}
    for name, place in places.items():
        row[name] = np.nan if place is None else _distance(run, entry, found, train, *place)
        row[f"id_{name}"] = np.nan if place is None else _distance(run, run.id_test, test, train, *place)
    return row


def _distance(run: Run, entry: SetEntry, found: Moments, train: Moments, level: int, tap: int) -> float:
    """Of a set from ID-train at a cell."""
    both = (entry, run.entry("id_train"))
    part = feature_columns(run.taps)[run.taps[tap].name]
    width = part.stop - part.start
    at = distances(
        found.at(level, part),
        train.at(level, part),
        {run.taps[tap].name: slice(0, width)},
        tuple(each.count for each in both),
        tuple(each.groups or each.count for each in both),
    )
    return float(at[0, 0])


def nearness_line(run: Run, ood: str) -> str:
    """'...: 0.120 at depth 0, 1.400 at the best cell (ID-test: 0.010, 0.020).'; "" of a map so far."""
    if is_growing(run.path):  # a map so far holds no moments
        return ""
    try:
        row = run.derived(_row, ood)
    except RunError:  # a damaged file, which the pages that need it name; the map does not
        return f"{_WHAT}: not known, since the run's moments cannot be read."
    places = {"depth_0": "at depth 0", "at_best": "at the best cell"}
    known = [name for name in places if pd.notna(row[name])]
    if not known:
        return ""
    texts = ", ".join(f"{format_value(row[name])} {places[name]}" for name in known)
    own = ", ".join(format_value(row[f"id_{name}"]) for name in known)
    return f"{_WHAT}: {texts} (ID-test: {own})."
