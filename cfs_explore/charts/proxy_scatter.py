"""AUROC predicted from proxies against the measured one, cell by cell (theory 17)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.map_heatmap import CLICKABLE
from cfs_explore.charts.predicted_measured import REGION_MARKS
from cfs_explore.charts.tap_names import short_tap_name
from cfs_explore.charts.theme import REGION_COLOURS, format_estimate, format_value, new_chart, palette

#: What a mark is -> its open symbol; the shape alone distinguishes them.
MARKS = {
    "best": ("Best cell", "star-open"),
    "proxy": ("Proxies choose", "circle-open"),
    "fixed": ("Fixed λ", "square-open"),
}
_HEIGHT_PX = 470
_COLUMNS = ("level", "tap", "tap_index", "region", "lam", "predicted", "auroc", "lo", "hi")


def proxy_scatter_chart(
    cells: pd.DataFrame, taps: int, marks: Mapping[str, int], chosen: int | None = None, theme: str = "light"
) -> go.Figure:
    """Scatter of the cells of one OOD set; only the order along both axes counts.

    A click reports the cell index (level * taps + tap_index) as ``customdata``.

    Args:
        cells: columns level, tap, tap_index, region, lam, predicted, auroc, lo, hi (95 % interval); those without a
            prediction are left out.
        taps: number of taps of the map.
        marks: key of ``MARKS`` -> index of a cell to mark.
        chosen: index of the cell to point at, with its interval.
    """
    require_columns(cells, _COLUMNS, "prediction from proxies")
    cells = cells.assign(index=cells["level"] * taps + cells["tap_index"])
    known = cells[np.isfinite(cells["predicted"]) & np.isfinite(cells["auroc"])]
    fig = new_chart(
        theme,
        height=_HEIGHT_PX,
        margin={"l": 60, "r": 16, "t": 62, "b": 52},
        hoverdistance=12,
        legend={"orientation": "h", "x": 0, "y": 1.01, "xanchor": "left", "yanchor": "bottom"},
        **CLICKABLE,
    )
    ink, muted = palette(theme).ink, palette(theme).muted
    traces = [
        _region_trace(part, *REGION_MARKS[region], REGION_COLOURS[region])
        for region in REGION_MARKS
        if len(part := known[known["region"] == region])
    ]
    places = known.set_index("index")
    traces += [_mark(key, places.loc[cell], ink) for key, cell in marks.items() if cell in places.index]
    if chosen in places.index:
        traces.append(_chosen_trace(places.loc[chosen], ink))
    fig.add_traces(traces)
    # Above the grid line at its place; a shape in the layer "between" would take hover and clicks away.
    fig.add_hline(y=0.5, line={"color": muted, "width": 1.5, "dash": "dot"})
    axis = {"tickformat": ".2~f", "fixedrange": True, "showgrid": True}
    fig.update_xaxes(title_text="AUROC predicted against proxies", range=_range(known["predicted"]), **axis)
    fig.update_yaxes(title_text="AUROC measured", range=_range(known["auroc"]), **axis)
    return fig


def _range(values: pd.Series) -> list[float]:
    """The values with room for the marks around them."""
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    room = max(0.06 * (high - low), 0.01)
    return [low - room, high + room]


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
    return (
        f"<b>{short_tap_name(row['tap'])} @ λ {format_value(row['lam'], 1)}</b><br>"
        f"measured {format_estimate(row['auroc'], row['lo'], row['hi'])}<br>"
        f"predicted against proxies {format_value(row['predicted'])}"
    )


def _mark(key: str, cell: pd.Series, ink: str) -> go.Scatter:
    name, symbol = MARKS[key]
    return go.Scatter(
        x=[cell["predicted"]],
        y=[cell["auroc"]],
        name=name,
        mode="markers",
        marker={"symbol": symbol, "size": 18, "color": ink, "line": {"width": 2.5, "color": ink}},
        hoverinfo="skip",
    )


def _chosen_trace(cell: pd.Series, ink: str) -> go.Scatter:
    return go.Scatter(
        x=[cell["predicted"]],
        y=[cell["auroc"]],
        name="Open cell",
        mode="markers",
        marker={"symbol": "diamond-open", "size": 17, "color": "#E69F00", "line": {"width": 2.5, "color": "#E69F00"}},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [cell["hi"] - cell["auroc"]],
            "arrayminus": [cell["auroc"] - cell["lo"]],
            "color": ink,
            "thickness": 1.5,
            "width": 4,
        },
        hoverinfo="skip",
    )
