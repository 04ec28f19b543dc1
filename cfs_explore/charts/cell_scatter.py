"""Scatters of AUROCs, a mark per cell of a map whose shape and colour say its region."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.marks import flat_legend, hovers, limits, unfaded
from cfs_explore.charts.tap_names import cell_name
from cfs_explore.charts.theme import REGION_COLOURS, new_chart

#: Region -> (name in the legend, marker symbol).
REGION_MARKS = {
    "input": ("Input", "diamond"),
    "encoder": ("Encoder", "circle"),
    "middle": ("Middle", "square"),
    "decoder": ("Decoder", "triangle-up"),
    "output": ("Output", "x"),
}
_OPACITY = 0.85


def cell_scatter(theme: str, height: int, top: int, **layout: object) -> go.Figure:
    """An empty scatter with room for the legend in ``top`` px."""
    margin = {"l": 60, "r": 16, "t": top, "b": 52}
    return new_chart(theme, height=height, margin=margin, legend=flat_legend(), **layout)


def auroc_axes(fig: go.Figure, x_title: str, y_title: str, x_range: list[float], y_range: list[float]) -> None:
    """Titles and ranges of both axes, which do not move."""
    axis = {"tickformat": ".2~f", "fixedrange": True, "showgrid": True}
    fig.update_xaxes(title_text=x_title, range=x_range, **axis)
    fig.update_yaxes(title_text=y_title, range=y_range, **axis)


def region_traces(
    cells: pd.DataFrame, x: str, y: str, hover: Callable[[Mapping], str], clicks: bool = True
) -> list[go.Scatter]:
    """A trace per region that has cells: columns ``x`` against ``y``, and region, tap and lam.

    Args:
        hover: what is said of a row, below its tap and log-SNR.
        clicks: whether a click reports the column index as ``customdata``.
    """
    traces = []
    for region, (name, symbol) in REGION_MARKS.items():
        part = cells[cells["region"] == region]
        if part.empty:
            continue
        trace = go.Scatter(
            x=part[x].tolist(),
            y=part[y].tolist(),
            name=name,
            mode="markers",
            marker={"symbol": symbol, "size": 8, "color": REGION_COLOURS[region], "opacity": _OPACITY},
            **hovers(f"<b>{cell_name(row['tap'], row['lam'])}</b><br>{hover(row)}" for row in part.to_dict("records")),
        )
        if clicks:
            trace.update(customdata=[int(index) for index in part["index"]], **unfaded(_OPACITY))
        traces.append(trace)
    return traces


def open_mark(cell: Mapping, name: str, symbol: str, size: int, colour: str, bars: str | None = None) -> go.Scatter:
    """An open symbol around a cell at (predicted, auroc); with its interval where ``bars`` gives that a colour."""
    interval = limits([cell["auroc"]], [cell["lo"]], [cell["hi"]], bars, 1.5, 4) if bars else None
    return go.Scatter(
        x=[cell["predicted"]],
        y=[cell["auroc"]],
        name=name,
        mode="markers",
        marker={"symbol": f"{symbol}-open", "size": size, "color": colour, "line": {"width": 2.5, "color": colour}},
        error_y=interval,
        hoverinfo="skip",
    )


def diagonal(low: float, name: str, ink: str) -> go.Scatter:
    """Where both are equal."""
    ends = [max(low, 0.0), 1]
    line = {"color": ink, "width": 1.5, "dash": "dash"}
    return go.Scatter(x=ends, y=ends, name=name, mode="lines", line=line, hoverinfo="skip")
