"""Predicted against measured AUROC of every cell, with the bound under which none can lie (theory 12, 13)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.map_heatmap import CLICKABLE
from cfs_explore.charts.tap_names import short_tap_name
from cfs_explore.charts.theme import REGION_COLOURS, format_estimate, format_value, new_chart, palette

#: Region -> (name in the legend, marker symbol).
REGION_MARKS = {
    "input": ("Input", "diamond"),
    "encoder": ("Encoder", "circle"),
    "middle": ("Middle", "square"),
    "decoder": ("Decoder", "triangle-up"),
    "output": ("Output", "x"),
}
_HEIGHT_PX = 470
_COLUMNS = ("level", "tap", "tap_index", "region", "lam", "predicted", "bound", "auroc", "lo", "hi")


def predicted_measured_chart(
    cells: pd.DataFrame, taps: int, chosen: int | None = None, theme: str = "light"
) -> go.Figure:
    """Scatter of the cells of one OOD set: prediction (13) on x, measured AUROC on y.

    The identity line is where the prediction is right. The bound (12) is the curve z^2 / (1 + z^2) at x = Phi(z): it
    depends on a cell by Delta / sqrt(Var_ID + Var_OOD) alone, as (13) does. The area below it is shaded. A click
    reports the cell index (level * taps + tap_index) as ``customdata``.

    Args:
        cells: columns level, tap, tap_index, region, lam, predicted, bound, auroc, lo, hi (95 % interval); those
            without a prediction are left out.
        taps: number of taps of the map.
        chosen: index of the cell to mark, with its interval.
    """
    require_columns(cells, _COLUMNS, "predicted against measured AUROC")
    known = cells[np.isfinite(cells["predicted"]) & np.isfinite(cells["auroc"])]
    known = known.assign(index=known["level"] * taps + known["tap_index"])
    lowest = min(0.5, known[["predicted", "auroc"]].min().min()) if len(known) else 0.0
    low = max(-0.02, math.floor(10 * (lowest - 0.02)) / 10)
    fig = new_chart(
        theme,
        height=_HEIGHT_PX,
        margin={"l": 60, "r": 16, "t": 40, "b": 52},
        hoverdistance=12,
        legend={"orientation": "h", "x": 0, "y": 1.01, "xanchor": "left", "yanchor": "bottom"},
        **CLICKABLE,
    )
    colours = palette(theme)
    _add_lines(fig, low, colours.ink, colours.muted, colours.grid)
    for region, (label, symbol) in REGION_MARKS.items():
        part = known[known["region"] == region]
        if len(part):
            fig.add_trace(_region_trace(part, label, symbol, REGION_COLOURS[region]))
    for row in known[known["index"] == chosen].to_dict("records"):
        fig.add_trace(_chosen_trace(row, colours.ink))
    axis = {"range": [low, 1.02], "tickformat": ".2~f", "fixedrange": True, "showgrid": True}
    fig.update_xaxes(title_text="AUROC predicted from means and variances", **axis)
    fig.update_yaxes(title_text="AUROC measured", **axis)
    return fig


def _add_lines(fig: go.Figure, low: float, ink: str, muted: str, grid: str) -> None:
    z = np.concatenate([np.linspace(0, 4, 81), [8.0]])
    normal = NormalDist()
    fig.add_trace(
        go.Scatter(
            x=[normal.cdf(value) for value in z],
            y=(z**2 / (1 + z**2)).tolist(),
            name="Lower bound",
            mode="lines",
            line={"color": muted, "width": 2, "dash": "dashdot"},
            fill="tozeroy",
            fillcolor=grid,
            hoverinfo="skip",
        )
    )
    fig.add_trace(
        go.Scatter(
            x=[max(low, 0.0), 1],
            y=[max(low, 0.0), 1],
            name="Measured = predicted",
            mode="lines",
            line={"color": ink, "width": 1.5, "dash": "dash"},
            hoverinfo="skip",
        )
    )


def _region_trace(part: pd.DataFrame, label: str, symbol: str, colour: str) -> go.Scatter:
    same = {"marker": {"opacity": 0.85}}  # a click must not fade the others
    return go.Scatter(
        x=part["predicted"].tolist(),
        y=part["auroc"].tolist(),
        name=label,
        mode="markers",
        marker={"symbol": symbol, "size": 8, "color": colour, "opacity": 0.85},
        selected=same,
        unselected=same,
        customdata=[int(index) for index in part["index"]],
        hovertext=[_hover(row) for row in part.to_dict("records")],
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _hover(row: Mapping) -> str:
    bound = format_value(row["bound"]) if math.isfinite(row["bound"]) else "does not apply (Δ ≤ 0)"
    return (
        f"<b>{short_tap_name(row['tap'])} @ λ {format_value(row['lam'], 1)}</b><br>"
        f"measured {format_estimate(row['auroc'], row['lo'], row['hi'])}<br>"
        f"predicted {format_value(row['predicted'])}<br>bound {bound}"
    )


def _chosen_trace(row: Mapping, ink: str) -> go.Scatter:
    return go.Scatter(
        x=[row["predicted"]],
        y=[row["auroc"]],
        name="Chosen cell",
        mode="markers",
        marker={"symbol": "circle-open", "size": 17, "color": ink, "line": {"width": 2.5, "color": ink}},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [row["hi"] - row["auroc"]],
            "arrayminus": [row["auroc"] - row["lo"]],
            "color": ink,
            "thickness": 1.5,
            "width": 4,
        },
        hoverinfo="skip",
    )
