"""One claim on every OOD set: its number with the interval, against the value that it is judged by."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.rows import row_chart, row_dot, row_lines, row_rules, row_texts
from cfs_explore.charts.theme import palette
from cfs_explore.charts.verdict_style import VERDICT_STYLES, cell_text, verdict_lines
from cfs_explore.wording import format_estimate, format_value

_ROW_PX = 40


def verdict_dots_chart(
    rows: pd.DataFrame, limit: float, below: bool, theme: str = "light", selected: str | None = None
) -> go.Figure:
    """A row per OOD set, in the table's order from the top.

    Args:
        rows: of one claim, with ood ("" for none), value, lo, hi, verdict, survives, note, n_id, n_ood.
        limit: the value that the claim is judged by. below: whether it holds below it.
        theme: "light" or "dark".
        selected: the set whose name is underlined.
    """
    require_columns(rows, ("ood", "value", "lo", "hi", "verdict", "survives", "note", "n_id", "n_ood"), "claim's rows")
    colours, records = palette(theme), rows.fillna({"note": ""}).to_dict("records")
    fig = row_chart(theme, len(records), _ROW_PX, {"l": 18, "r": 20, "t": 16, "b": 46}, above=0.8)
    texts = (_text(row, row["ood"] == selected) for row in records)
    fig.update_layout(annotations=row_texts(texts, 6, bgcolor=colours.page, borderpad=1))
    fig.add_traces([_dot(row, position) for position, row in enumerate(records) if math.isfinite(row["value"])])
    known = [each for each in rows[["lo", "hi", "value"]].to_numpy().ravel() if math.isfinite(each)]
    low, high = min([limit, *known]), max([limit, *known])
    room = 0.08 * (high - low) or 0.05
    line = {"color": colours.muted, "width": 1.5, "dash": "dot"}
    rules = row_rules(low - room, high + room, len(records), colours.grid)
    fig.update_layout(shapes=[*row_lines(limit, len(records), line), *rules])
    side = "below" if below else "above"
    title = f"Holds {side} {format_value(limit, 2).rstrip('0').rstrip('.')} (dotted); 95 % intervals"
    fig.update_xaxes(range=[low - room, high + room], title_text=title, nticks=7, fixedrange=True)
    return fig


def _text(row: Mapping, selected: bool) -> str:
    name = f"<b>{row['ood'] or 'ID-test alone'}</b>"
    name = f"<u>{name}</u>" if selected and row["ood"] else name
    estimate = format_estimate(row["value"], row["lo"], row["hi"]) if math.isfinite(row["value"]) else ""
    return f"{name} {cell_text(row)} {estimate}".rstrip()


def _dot(row: Mapping, position: int) -> go.Scatter:
    style = VERDICT_STYLES[row["verdict"]]
    hover = "<br>".join([f"<b>{row['ood'] or 'ID-test alone'}</b>", *verdict_lines(row)])
    marker = {"symbol": style.symbol, "size": 10, "color": style.colour}
    return row_dot(position, (row["value"], row["lo"], row["hi"]), marker, style.colour, row["ood"], hover)
