"""A map of differences: centred on 0, with a ring in every cell whose interval includes 0."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.colour_scale import colour_scale
from cfs_explore.charts.map_grid import MapGrid, map_grid
from cfs_explore.charts.map_heatmap import colour_bar, grid_chart
from cfs_explore.wording import format_value

#: Readable on the near-neutral cells that it marks, in both themes.
_MARK_COLOUR = "#3F4550"
#: How far the colours reach: steps, so that maps of much the same size share one.
_STEPS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def shared_reach(values: pd.Series) -> float:
    """The smallest of a few round reaches that holds all values: one scale for all maps made of them."""
    largest = float(values.abs().max())
    return next((step for step in _STEPS if not largest > step), _STEPS[-1])


def signed_alt(known: pd.DataFrame, value: str, cells: str, first: str, second: str, subject: str) -> str:
    """The map in words.

    Args:
        known: rows with a number: the column ``value`` and its interval lo, hi.
        cells: their number and what they are.
        first, second: whose AUROC is taken from whose; ``subject`` begins a sentence about the second.
    """
    better, worse = (known["lo"] > 0).sum(), (known["hi"] < 0).sum()
    middle, low, high = (format_value(known[value].agg(how)) for how in ("median", "min", "max"))
    return (
        f"Map of AUROC of {second} minus that of {first} over {cells}: median {middle}, from {low} to {high}. "
        f"{subject} is better in {better} cells, worse in {worse}; in {len(known) - better - worse} the interval "
        "includes 0."
    )


def signed_map_chart(
    frame: pd.DataFrame,
    value: str,
    hovers: Sequence[str],
    title: str,
    reach: float,
    theme: str = "light",
    *,
    higher_is_better: bool = True,
) -> go.Figure:
    """Heatmap of a signed column over taps (execution order) and levels (clean on top).

    A click reports the cell index (level * T + tap_index) as ``customdata``.

    Args:
        frame: the columns of a map (``map_grid.MAP_COLUMNS``), ``value`` and its 95 % interval lo, hi.
        value: name of the column.
        hovers: text of each row of the frame.
        title: of the colour bar.
        reach: value at the colours' ends.
        theme: light or dark.
        higher_is_better: whether positive values are blue, or brown.
    """
    grid = map_grid(frame.assign(hover=list(hovers)), value)
    texts = grid.cells["hover"].fillna("<b>not measured</b>")
    return grid_chart(theme, grid, _colour_axis(title, reach, higher_is_better), [_rings(grid)], texts)


def _colour_axis(title: str, reach: float, higher_is_better: bool) -> dict:
    ticks = [reach * share for share in (-1, -0.5, 0, 0.5, 1)]
    return {
        "cmin": -reach,
        "cmax": reach,
        "colorscale": colour_scale(0.5, higher_is_better),
        "colorbar": colour_bar(title, ticks, [format_value(tick, 3).rstrip("0").rstrip(".") or "0" for tick in ticks]),
    }


def _rings(grid: MapGrid) -> go.Scatter:
    """A ring in every cell whose interval includes 0."""
    lo, hi = (grid.cells[name].to_numpy(dtype=float).reshape(grid.index.shape) for name in ("lo", "hi"))
    rows, columns = np.nonzero((lo <= 0) & (hi >= 0))
    return go.Scatter(
        x=grid.x[columns].tolist(),
        y=rows.tolist(),
        mode="markers",
        name="interval includes 0",
        marker={"symbol": "circle-open", "size": 7, "color": _MARK_COLOUR, "line": {"width": 1.5}},
        hoverinfo="skip",
    )
