"""Detectors against groups of OOD sets, as a coloured table of mean AUROCs (theory 36)."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.colour_scale import colour_scale
from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.number_grid import number_grid_chart
from cfs_explore.wording import format_estimate, format_value

_ROW_PX = 36


def group_grid_chart(table: pd.DataFrame, theme: str = "light") -> go.Figure:
    """A row per detector and a column per group, in the table's order; CFS in bold.

    Args:
        table: row (of the detector), detector, kind ("cfs" or "rival"), forwards, jvps, group, auroc, lo, hi.
        theme: "light" or "dark".
    """
    columns = ("row", "detector", "kind", "forwards", "jvps", "group", "auroc", "lo", "hi")
    require_columns(table, columns, "table of detectors on groups of sets")
    groups = list(dict.fromkeys(table["group"]))
    known = {(row["row"], row["group"]): row for row in table.to_dict("records")}
    lines = [[known[row, group] for group in groups] for row in dict.fromkeys(table["row"].sort_values())]
    return number_grid_chart(
        [[row["auroc"] for row in line] for line in lines],
        [[_text(row) for row in line] for line in lines],
        [[_hover(row) for row in line] for line in lines],
        ([_name(line[0]) for line in lines], [group.replace(", ", ",<br>") for group in groups]),
        (colour_scale(), 0.0, 1.0),
        theme,
        row_px=_ROW_PX,
    )


def _name(row: Mapping) -> str:
    """With its cost, and its variant below, so that a narrow page has room for numbers."""
    name, _, variant = row["detector"].partition(" (")
    name = f"<b>{name}</b>" if row["kind"] == "cfs" else name
    return "<br>".join([f"{name} · {_cost(row)}", *filter(None, [variant.removesuffix(")")])])


def _cost(row: Mapping) -> str:
    return f"{row['forwards']:g}F" + (f" + {row['jvps']:g}J" if row["jvps"] else "")


def _text(row: Mapping) -> str:
    return f"<b>{format_value(row['auroc'])}</b><br>[{format_value(row['lo'])}, {format_value(row['hi'])}]"


def _hover(row: Mapping) -> str:
    estimate = format_estimate(row["auroc"], row["lo"], row["hi"])
    return f"<b>{row['detector']}</b>, {row['group']}<br>AUROC {estimate}<br>{_cost(row)} per image"
