"""How near each OOD set is to ID, where an image enters the network and where the set is found best (theory 36)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cfs_explore.diagnostics.nearness import distances
from cfs_explore.errors import RunError
from cfs_explore.headlines.map import best_cell_of
from cfs_explore.scoring import feature_columns
from cfs_explore.store import Run
from cfs_explore.store.growing import is_growing
from cfs_explore.store.manifest import SetEntry
from cfs_explore.wording import format_digits


def nearness(run: Run) -> pd.DataFrame:
    """Distances to ID-train in units of its variance: a row per OOD set, in the run's order.

    Columns: ood, n_ood, depth_0 (the first input tap at the cleanest level; without one, the first tap), cell (the best
    one by AUROC on all images; missing with too few), at_best (there); id_depth_0 and id_at_best, the same of ID-test,
    which is 0 but for chance: a set no farther than that is as near as ID itself. No intervals: they need the images.
    """
    return run.derived(_nearness)


def _nearness(run: Run) -> pd.DataFrame:
    first = next((place for place, tap in enumerate(run.taps) if tap.region == "input"), 0)
    own = _of(run, run.id_test)
    rows = []
    for entry in (run.entry("ood", name) for name in run.ood_names):
        found, best = _of(run, entry), best_cell_of(entry.name, run.table("best_cell"))
        place = None if best is None else tuple(run.cell(best))
        rows.append(
            {"ood": entry.name, "n_ood": entry.count, "depth_0": found[0, first], "cell": best}
            | {"at_best": None if place is None else found[place], "id_depth_0": own[0, first]}
            | {"id_at_best": None if place is None else own[place]}
        )
    frame = pd.DataFrame(rows).astype({"at_best": float, "id_at_best": float})
    return frame.assign(cell=pd.array(frame["cell"], dtype="Int64"))


def _of(run: Run, entry: SetEntry) -> np.ndarray:
    """Distance of a set from ID-train, (level, tap)."""
    train = run.entry("id_train")
    both = (entry, train)
    return distances(
        run.moments(entry.role, entry.name),
        run.moments("id_train"),
        feature_columns(run.taps),
        tuple(each.count for each in both),
        tuple(each.groups or each.count for each in both),
    )


def nearness_line(run: Run, ood: str) -> str:
    """'Distance to ID (36): 0.12 at depth 0, 1.4 at the best cell (ID-test: 0.01, 0.02).'; "" of a map so far."""
    if is_growing(run.path):  # a map so far holds no moments
        return ""
    try:
        row = nearness(run).set_index("ood").loc[ood]
    except RunError:  # a damaged file, which the pages that need it name; the map does not
        return "Distance to ID (36): not known, since the run's moments cannot be read."
    places = {"depth_0": "at depth 0", "at_best": "at the best cell"}
    known = [name for name in places if pd.notna(row[name])]
    if not known:
        return ""
    texts = ", ".join(f"{format_digits(row[name], 2)} {places[name]}" for name in known)
    own = ", ".join(format_digits(row[f"id_{name}"], 2) for name in known)
    return f"Distance to ID (36): {texts} (ID-test: {own})."
