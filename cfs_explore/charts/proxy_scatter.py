"""AUROC predicted from proxies against the measured one, cell by cell (theory 17)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.cell_scatter import auroc_axes, cell_scatter, open_mark, region_traces
from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.marks import CLICKABLE
from cfs_explore.charts.theme import palette
from cfs_explore.wording import format_estimate, format_value

#: What a mark is -> its symbol, drawn open; the shape alone distinguishes them.
MARKS = {
    "best": ("Best cell", "star"),
    "proxy": ("Proxies choose", "circle"),
    "fixed": ("Fixed λ", "square"),
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
    fig = cell_scatter(theme, _HEIGHT_PX, 62, hoverdistance=12, **CLICKABLE)
    ink, muted, places = palette(theme).ink, palette(theme).muted, known.set_index("index")
    traces = region_traces(known, "predicted", "auroc", _hover)
    traces += [open_mark(places.loc[cell], *MARKS[key], 18, ink) for key, cell in marks.items() if cell in places.index]
    if chosen in places.index:
        traces.append(open_mark(places.loc[chosen], "Open cell", "diamond", 17, "#E69F00", bars=ink))
    fig.add_traces(traces)
    # Above the grid line at its place; a shape in the layer "between" would take hover and clicks away.
    fig.add_hline(y=0.5, line={"color": muted, "width": 1.5, "dash": "dot"})
    ranges = _range(known["predicted"]), _range(known["auroc"])
    auroc_axes(fig, "AUROC predicted against proxies", "AUROC measured", *ranges)
    return fig


def _range(values: pd.Series) -> list[float]:
    """The values with room for the marks around them."""
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    room = max(0.06 * (high - low), 0.01)
    return [low - room, high + room]


def _hover(row: Mapping) -> str:
    return (
        f"measured {format_estimate(row['auroc'], row['lo'], row['hi'])}<br>"
        f"predicted against proxies {format_value(row['predicted'])}"
    )
