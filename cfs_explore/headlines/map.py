"""What the map page says in one sentence, of a finished map or of one that grows; the set that it shows first."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from cfs_explore.charts import short_tap_name
from cfs_explore.contracts import SATURATED, Cell, Level, Tap
from cfs_explore.wording import format_estimate, format_value


def map_headline(
    ood: str, best: pd.DataFrame, maps: pd.DataFrame | None, levels: Sequence[Level], taps: Sequence[Tap]
) -> str:
    """Markdown: where the signal of an OOD set is strongest, how strong (theory 3), and whether it is so elsewhere.

    Args:
        ood: name of the OOD set.
        best: the table ``best_cell``.
        maps: the table ``auroc_map``; without it, nothing is said of other cells.
        levels, taps: of the map.
    """
    row = _row_of(ood, best)
    if row is None:
        return f"Too few images of **{ood}** to say where its signal lives."
    cell = Cell.at(row["cell_index"], len(taps))
    tap, level = taps[cell.tap], levels[cell.level]
    value = format_estimate(row["honest"], row["honest_lo"], row["honest_hi"])
    place = f"in the **{tap.region}** ({short_tap_name(tap.name)}) at **λ = {format_value(level.lam, 1)}**"
    if row["honest_lo"] <= 0.5:
        return (
            f"For **{ood}**, no single cell clearly tells OOD from ID: the best one, {place}, has AUROC **{value}** on "
            "the images that did not pick it."
        )
    return (
        f"For **{ood}**, the signal is strongest {place}: the best cell picked on one half of the images has AUROC "
        f"**{value}** on the other.{'' if maps is None else _elsewhere(row, maps[maps['ood'] == ood])}"
    )


def _elsewhere(row: pd.Series, cells: pd.DataFrame) -> str:
    """How many cells reach the interval of the best one, where these are of several regions; else ""."""
    reach = cells[cells["auroc"] >= row["honest_lo"]]
    regions = reach["region"].nunique()
    if regions < 2:
        return ""
    return f" But {len(reach):,} of {len(cells):,} cells, in {regions} regions, reach this interval."


def best_cell_of(ood: str, best: pd.DataFrame) -> int | None:
    """The cell that the headline of a set names; None where the set has too few images."""
    row = _row_of(ood, best)
    return None if row is None else int(row["cell_index"])


def cell_standing(ood: str, cell: int, best: pd.DataFrame) -> str:
    """Markdown: that the open cell is the set's best, and what that is worth; "" for any other."""
    row = _row_of(ood, best)
    if row is None or int(row["cell_index"]) != cell:
        return ""
    value = format_estimate(row["honest"], row["honest_lo"], row["honest_hi"])
    clear = "" if row["honest_lo"] > 0.5 else ", which does not clearly tell OOD from ID"
    return (
        f"★ The best cell for **{ood}**{clear}. A best cell picked on one half of the images has {value} on the other."
    )


def first_set(best: pd.DataFrame, maps: pd.DataFrame, names: Sequence[str]) -> str:
    """The OOD set that is shown first: the one whose map says most about where the signal lives.

    That is the set with the widest spread over cells: the honest AUROC of its best cell (theory 3) minus the median
    AUROC of all its cells. A set that every cell tells from ID, or none, has a flat map. Where the best cell is
    saturated, several usually are, and the map does not say which: such sets come later. Sets without a best cell come
    last; of equals, the first.

    Args:
        best: the table ``best_cell``.
        maps: the table ``auroc_map``.
        names: of the OOD sets, in the order of the spec.
    """
    medians = maps.groupby("ood")["auroc"].median()

    def says(name: str) -> tuple[bool, float]:
        row = _row_of(name, best)
        return (False, -math.inf) if row is None else (row["honest"] <= SATURATED, row["honest"] - medians[name])

    return max(names, key=says)


def _row_of(ood: str, best: pd.DataFrame) -> pd.Series | None:
    rows = best[best["ood"] == ood] if len(best) else best
    return None if rows.empty else rows.iloc[0]
