"""Detectors side by side: AUROC with its interval, and what an image costs."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import FigureDataError, require_columns
from cfs_explore.charts.row_lines import row_lines
from cfs_explore.charts.theme import ROLE_COLOURS, format_estimate, new_chart, palette
from cfs_explore.wording import format_value

#: kind -> (marker symbol, filled with, what it means)
KINDS = {
    "preset": ("circle", "muted", "published setting"),
    "composed": ("diamond", "#E69F00", "composed here"),
    "honest": ("square", "#56B4E9", "best cell, picked on one half and judged on the other"),
    "naive": ("circle-open", ROLE_COLOURS["control"], "naive maximum: biased upwards"),
}
_ROW_PX = 42


def detector_dots_chart(detectors: pd.DataFrame, theme: str = "light") -> go.Figure:
    """One row per detector, in the table's order from the top: its label above its dot and interval.

    Args:
        detectors: columns name, auroc, lo, hi (95 % interval), forwards (#F, backbone forwards per image),
            effective (cost counting early stops, in forwards; may be NaN), kind (preset, composed, honest or
            naive).
    """
    require_columns(detectors, ("name", "auroc", "lo", "hi", "forwards", "effective", "kind"), "detector comparison")
    unknown = set(detectors["kind"]) - set(KINDS)
    if unknown:
        raise FigureDataError(f"The 'kind' of a detector must be one of {list(KINDS)}. Got {sorted(unknown)}.")
    colours = palette(theme)
    low = _axis_start(detectors)
    height = _ROW_PX * len(detectors) + 44
    fig = new_chart(
        theme,
        height=height,
        meta={"kind": "rows", "height": height},
        margin={"l": 18, "r": 20, "t": 4, "b": 40},
        hovermode="closest",
        showlegend=False,
    )
    rows = list(enumerate(detectors.to_dict("records")))
    fig.add_traces([_dot(detector, row, colours.ink, colours.muted) for row, detector in rows])
    line = {"type": "line", "layer": "below"}
    shapes = [
        {**line, "x0": low, "x1": 1, "y0": row, "y1": row, "line": {"color": colours.grid, "width": 1}}
        for row, _ in rows
    ]
    if low < 0.5:
        chance = {"color": colours.muted, "width": 1, "dash": "dot"}
        shapes += row_lines(0.5, len(rows), chance)
    place = {"x": 0, "xref": "paper", "xanchor": "left", "yanchor": "bottom", "yshift": 9}
    labels = [{**place, "y": row, "text": f"<b>{d['name']}</b> {_numbers(d)}"} for row, d in rows]
    fig.update_layout(shapes=shapes, annotations=labels)
    fig.update_xaxes(range=[low, 1.005], title_text="AUROC, 95 % interval", tickformat=".2~f", nticks=6)
    fig.update_yaxes(range=[len(detectors) - 0.6, -0.75], visible=False)
    return fig


def _axis_start(detectors: pd.DataFrame) -> float:
    lowest = float(detectors[["auroc", "lo"]].min().min())
    return max(0.0, math.floor((lowest - 0.01) * 20) / 20)


def _numbers(detector: Mapping) -> str:
    cost = f"#F {detector['forwards']:g}"
    if math.isfinite(detector["effective"]):
        cost += f" ({format_value(detector['effective'], 2)})"
    return f"{format_estimate(detector['auroc'], detector['lo'], detector['hi'])} · {cost}"


def _dot(detector: Mapping, row: int, ink: str, muted: str) -> go.Scatter:
    symbol, fill, meaning = KINDS[detector["kind"]]
    fill = muted if fill == "muted" else fill
    line_colour = fill if detector["kind"] == "naive" else ink
    return go.Scatter(
        x=[detector["auroc"]],
        y=[row],
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [detector["hi"] - detector["auroc"]],
            "arrayminus": [detector["auroc"] - detector["lo"]],
            "color": line_colour,
            "thickness": 2,
            "width": 0,
        },
        mode="markers",
        name=detector["name"],
        marker={"symbol": symbol, "size": 10, "color": fill, "line": {"color": line_colour, "width": 1.5}},
        hovertemplate=f"<b>{detector['name']}</b><br>{_numbers(detector)}<br>{meaning}<extra></extra>",
    )
