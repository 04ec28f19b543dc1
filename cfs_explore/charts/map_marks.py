"""What stands on single cells of a map: the best cell, the published pair, and the cell that is open."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import plotly.graph_objects as go

from cfs_explore.charts.map_grid import MapGrid
from cfs_explore.charts.marks import unfaded
from cfs_explore.charts.theme import CLEAR

#: Okabe-Ito orange, which no cell of the map has: also the colour of what is composed.
OPEN_CELL_COLOUR = "#E69F00"
#: ``meta`` of the traces; white with a dark line, so that they stand out on every cell.
BEST, PUBLISHED = "best cell", "published pair"
#: Name of the shape that frames the open cell.
OPEN_CELL = "open cell"
_INK = "#1D232E"


def mark_traces(grid: MapGrid, best: int | None, published: Iterable[int]) -> list[go.Scatter]:
    """A star on the best cell, and a small dot at the foot of each published cell; cells that are absent have none.

    Args:
        grid: of the map.
        best: cell index (level * T + tap_index), or None.
        published: cell indices.
    """
    dots = [at for index in published if (at := _place(grid, index))]
    traces = []
    if dots:
        x, y = zip(*dots, strict=True)
        traces.append(_marks(PUBLISHED, x, [row + 0.3 for row in y], "circle", 4.5))
    if best is not None and (at := _place(grid, best)):
        traces.append(_marks(BEST, at[:1], at[1:], "star", 10))
    return traces


def frame_open_cell(chart: go.Figure, index: int) -> None:
    """Add an orange frame to a map, wider than the outlines of composed cells; none where the cell is absent."""
    layer = chart.data[-1]  # that answers clicks
    if index not in layer.customdata:
        return
    position = layer.customdata.index(index)
    x, y = layer.x[position], layer.y[position]
    box = {"x0": x - 0.5, "x1": x + 0.5, "y0": y - 0.5, "y1": y + 0.5}
    line = {"color": OPEN_CELL_COLOUR, "width": 3}
    chart.add_shape(type="rect", **box, fillcolor=CLEAR, name=OPEN_CELL, line=line)


def _place(grid: MapGrid, index: int) -> tuple[float, float] | None:
    found = np.argwhere(grid.index == index)
    return (float(grid.x[found[0][1]]), float(found[0][0])) if len(found) else None


def _marks(name: str, x: Iterable[float], y: Iterable[float], symbol: str, size: int) -> go.Scatter:
    return go.Scatter(
        x=list(x),
        y=list(y),
        mode="markers",
        marker={"symbol": symbol, "size": size, "color": "#FFFFFF", "line": {"color": _INK, "width": 1}, "opacity": 1},
        **unfaded(),
        hoverinfo="skip",
        meta=name,
        showlegend=False,
    )
