"""Detectors on groups of OOD sets: the mean AUROC of each group with its interval, and of each of its sets."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.rows import axis_start, row_chart, row_dot, row_lines, row_rules, row_texts
from cfs_explore.charts.theme import palette
from cfs_explore.wording import format_estimate, format_value

#: Width of a letter of a label, about: no label is cut on a narrow page.
_ROW_PX, _LETTER_PX = 42, 6
_COMPOSED = "#E69F00"


def set_group_dots_chart(table: pd.DataFrame, theme: str = "light") -> go.Figure:
    """One row per group and detector, in the table's order from the top.

    Args:
        table: line (of the chart from the top, the same for a group's mean and its sets), label (of the line), about
            (behind the numbers), ood ("" for the mean), auroc, lo, hi, composed (whether the detector was put together
            here).
        theme: "light" or "dark".
    """
    require_columns(
        table, ("line", "label", "about", "ood", "auroc", "lo", "hi", "composed"), "table of groups of sets"
    )
    colours, means = palette(theme), table[table["ood"] == ""].sort_values("line")
    records, low = means.to_dict("records"), axis_start(table)
    fig = row_chart(theme, len(records), _ROW_PX, {"l": 18, "r": 20, "t": 4, "b": 40})
    sets = [row for row in table.to_dict("records") if row["ood"] != ""]
    fig.add_traces([_set(row, colours.muted) for row in sets])
    fig.add_traces([_mean(row, colours.ink, colours.muted) for row in records])
    shapes = row_rules(low, 1, len(records), colours.grid)
    if low < 0.5:
        shapes += row_lines(0.5, len(records), {"color": colours.muted, "width": 1, "dash": "dot"})
    labels = row_texts((f"<b>{row['label']}</b> {_numbers(row)}" for row in records), 9)
    longest = max(len(f"{row['label']} {_numbers(row)}") for row in records)
    fig.update_layout(shapes=shapes, annotations=labels, meta={**fig.layout.meta, "least_px": _LETTER_PX * longest})
    fig.update_xaxes(range=[low, 1.005], title_text="AUROC, 95 % interval", tickformat=".2~f", nticks=6)
    return fig


def _numbers(row: Mapping) -> str:
    return f"{format_estimate(row['auroc'], row['lo'], row['hi'])} · {row['about']}"


def _mean(row: Mapping, ink: str, muted: str) -> go.Scatter:
    symbol, fill = ("diamond", _COMPOSED) if row["composed"] else ("circle", muted)
    marker = {"symbol": symbol, "size": 10, "color": fill, "line": {"color": ink, "width": 1.5}}
    estimate = row["auroc"], row["lo"], row["hi"]
    return row_dot(row["line"], estimate, marker, ink, row["label"], f"<b>{row['label']}</b><br>{_numbers(row)}")


def _set(row: Mapping, muted: str) -> go.Scatter:
    """A set of the group, without its interval."""
    marker = {"symbol": "line-ns", "size": 11, "line": {"color": muted, "width": 1.5}}
    about = f"<b>{row['ood']}</b><br>{row['label']}<br>{format_value(row['auroc'])}"
    return row_dot(row["line"], (row["auroc"], float("nan"), float("nan")), marker, muted, row["ood"], about)
