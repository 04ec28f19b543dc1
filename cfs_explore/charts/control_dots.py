"""The backbone beside its controls, or image statistics side by side: AUROC with its interval, one row each."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import FigureDataError, require_columns
from cfs_explore.charts.row_lines import row_lines
from cfs_explore.charts.theme import ROLE_COLOURS, format_estimate, format_value, new_chart, palette

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
    unknown = set(rows["kind"]) - set(KINDS)
    if unknown:
        raise FigureDataError(f"The 'kind' of a row must be one of {list(KINDS)}. Got {sorted(unknown)}.")
    colours, low = palette(theme), _axis_start(rows)
    height = _ROW_PX * len(rows) + 44
    fig = new_chart(
        theme,
        height=height,
        meta={"kind": "rows", "height": height},
        margin={"l": 14, "r": 14, "t": 4, "b": 40},
        hovermode="closest",
        showlegend=False,
    )
    trained = rows.loc[(rows["kind"] == "trained") & rows["auroc"].notna(), "auroc"]
    lines = {0.5: (colours.muted, "dot")} | {float(value): (colours.ink, "dash") for value in trained[:1]}
    for x, (colour, dash) in lines.items():
        if x >= low:
            fig.update_layout(
                shapes=[*fig.layout.shapes, *row_lines(x, len(rows), {"color": colour, "width": 1, "dash": dash})]
            )
    for position, row in enumerate(rows.to_dict("records")):
        line = {"color": colours.grid, "width": 1}
        fig.add_shape(type="line", x0=low, x1=1, y0=position, y1=position, line=line, layer="below")
        fig.add_annotation(
            x=0,
            xref="paper",
            y=position,
            xanchor="left",
            yanchor="bottom",
            yshift=9,
            text=_label(row),
            bgcolor=colours.page,
            borderpad=0,
        )
        if math.isfinite(row["auroc"]):
            fig.add_trace(_dot(row, position, colours.ink, colours.muted))
    fig.update_xaxes(range=[low, 1.005], title_text="AUROC, 95 % interval", tickformat=".2~f", nticks=6)
    fig.update_yaxes(range=[len(rows) - 0.6, -0.75], visible=False)
    fig.update_layout(xaxis_fixedrange=True, yaxis_fixedrange=True)
    return fig


def _axis_start(rows: pd.DataFrame) -> float:
    lowest = float(rows[["auroc", "lo"]].min().min())
    return max(0.0, math.floor((lowest - 0.01) * 20) / 20) if math.isfinite(lowest) else 0.0


def _label(row: Mapping) -> str:
    value = format_estimate(row["auroc"], row["lo"], row["hi"]) if math.isfinite(row["auroc"]) else row["note"]
    return f"<b>{row['name']}</b> {value or format_value(math.nan)}"


def _dot(row: Mapping, position: int, ink: str, muted: str) -> go.Scatter:
    symbol, colour = KINDS[row["kind"]]
    colour = muted if colour == "muted" else colour
    line = colour if symbol.endswith("open") else ink
    bars = {"type": "data", "symmetric": False, "color": line, "thickness": 2, "width": 0}
    if math.isfinite(row["lo"]) and math.isfinite(row["hi"]):
        bars |= {"array": [row["hi"] - row["auroc"]], "arrayminus": [row["auroc"] - row["lo"]]}
    return go.Scatter(
        x=[row["auroc"]],
        y=[position],
        error_x=bars,
        mode="markers",
        name=row["name"],
        marker={"symbol": symbol, "size": 10, "color": colour, "line": {"color": line, "width": 1.5}},
        hovertemplate=f"{_label(row)}<extra></extra>",
    )
