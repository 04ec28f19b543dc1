"""The backbone beside its controls, or image statistics side by side: AUROC with its interval, one row each."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns, require_known
from cfs_explore.charts.rows import axis_start, row_chart, row_dot, row_lines, row_rules, row_texts
from cfs_explore.charts.theme import ROLE_COLOURS, palette
from cfs_explore.wording import format_estimate, format_value

_GREY = ROLE_COLOURS["control"]
#: kind -> (marker symbol, colour); the trained backbone's are those of the same detectors on the map's page.
KINDS = {
    "trained": ("square", "#56B4E9"),
    "preset": ("circle", "muted"),
    "untrained": ("x", _GREY),
    "re-encoded": ("square-open", "#56B4E9"),
    "input tap": ("triangle-up", _GREY),
    "statistics": ("diamond", _GREY),
    "best statistic": ("diamond-open", _GREY),
}
_ROW_PX = 42


def control_dots_chart(rows: pd.DataFrame, theme: str = "light") -> go.Figure:
    """One row per detector or control, in the table's order from the top: its label above its dot and interval.

    Args:
        rows: columns name, auroc, lo, hi (95 % interval), kind (a key of ``KINDS``), note (said in the place of a
            number that is missing). The first "trained" row's AUROC is a line through the others.
    """
    require_columns(rows, ("name", "auroc", "lo", "hi", "kind", "note"), "comparison with controls")
    require_known(rows["kind"], KINDS, "The 'kind' of a row")
    colours, low, records = palette(theme), axis_start(rows), rows.to_dict("records")
    fig = row_chart(theme, len(records), _ROW_PX, {"l": 14, "r": 14, "t": 4, "b": 40})
    trained = rows.loc[(rows["kind"] == "trained") & rows["auroc"].notna(), "auroc"]
    lines = {0.5: (colours.muted, "dot")} | {float(value): (colours.ink, "dash") for value in trained[:1]}
    through = [
        piece
        for x, (colour, dash) in lines.items()
        if x >= low
        for piece in row_lines(x, len(records), {"color": colour, "width": 1, "dash": dash})
    ]
    fig.update_layout(
        shapes=[*through, *row_rules(low, 1, len(records), colours.grid)],
        annotations=row_texts(map(_label, records), 9, bgcolor=colours.page, borderpad=0),
    )
    known = [(position, row) for position, row in enumerate(records) if math.isfinite(row["auroc"])]
    fig.add_traces([_dot(row, position, colours.ink, colours.muted) for position, row in known])
    fig.update_xaxes(
        range=[low, 1.005], title_text="AUROC, 95 % interval", tickformat=".2~f", nticks=6, fixedrange=True
    )
    return fig


def _label(row: Mapping) -> str:
    value = format_estimate(row["auroc"], row["lo"], row["hi"]) if math.isfinite(row["auroc"]) else row["note"]
    return f"<b>{row['name']}</b> {value or format_value(math.nan)}"


def _dot(row: Mapping, position: int, ink: str, muted: str) -> go.Scatter:
    symbol, colour = KINDS[row["kind"]]
    colour = muted if colour == "muted" else colour
    line = colour if symbol.endswith("open") else ink
    marker = {"symbol": symbol, "size": 10, "color": colour, "line": {"color": line, "width": 1.5}}
    return row_dot(position, (row["auroc"], row["lo"], row["hi"]), marker, line, row["name"], _label(row))
