"""One image's slot score in every cell, as its rank within ID-test or as a multiple of the ID median."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.colour_scale import colour_scale
from cfs_explore.charts.errors import FigureDataError, require_columns
from cfs_explore.charts.map_grid import map_grid
from cfs_explore.charts.map_heatmap import colour_bar, grid_chart
from cfs_explore.charts.tap_names import short_tap_name
from cfs_explore.wording import format_value

VALUES = ("percentile", "ratio")
#: Doublings that the colours of the ratio reach at least, so that an ordinary image looks ordinary.
_LEAST_REACH = 1


def image_map_chart(frame: pd.DataFrame, value: str = "percentile", theme: str = "light") -> go.Figure:
    """Heatmap over taps (execution order) and levels (clean on top); blue: higher than ID-test, brown: lower.

    A click reports the cell index (level * T + tap_index) as ``customdata``.

    Args:
        frame: of ``diagnostics.cell_profile``: the columns of a map (``map_grid.MAP_COLUMNS``), score, draw_min,
            draw_max, id_median, ratio, percentile.
        value: "percentile" (0 to 100, grey at 50), or "ratio" (score / ID median, a logarithmic scale, grey at 1).
    """
    if value not in VALUES:
        raise FigureDataError(f"The 'value' of an image's map must be one of {list(VALUES)}. Got {value!r} instead.")
    require_columns(frame, ("score", "draw_min", "draw_max", "id_median", "ratio", "percentile"), "map of an image")
    with np.errstate(divide="ignore"):
        shown = frame["percentile"] if value == "percentile" else np.log2(frame["ratio"])
    grid = map_grid(frame.assign(shown=shown.replace([np.inf, -np.inf], np.nan)), "shown")
    axis = _percentile_axis() if value == "percentile" else _ratio_axis(grid.values)
    return grid_chart(theme, grid, axis, [], [_hover(row) for row in grid.cells.to_dict("records")])


def _percentile_axis() -> dict:
    return {
        "cmin": 0,
        "cmax": 100,
        "colorscale": colour_scale(0.5),
        "colorbar": colour_bar("Percentile within ID-test", [0, 25, 50, 75, 100], ["0", "25", "50", "75", "100"]),
    }


def _ratio_axis(doublings: np.ndarray) -> dict:
    """Symmetric around a ratio of 1; the bar says multiples."""
    finite = np.abs(doublings[np.isfinite(doublings)])
    reach = max(_LEAST_REACH, math.ceil(finite.max(initial=0.0)))
    step = max(1, math.ceil(reach / 4))
    ticks = [tick for tick in range(-reach, reach + 1) if tick % step == 0]
    labels = [f"{2**tick:,}×" if tick >= 0 else f"1/{2**-tick:,}×" for tick in ticks]
    return {
        "cmin": -reach,
        "cmax": reach,
        "colorscale": colour_scale(0.5),
        "colorbar": colour_bar("Score ÷ ID-test median", ticks, labels),
    }


def _hover(cell: Mapping) -> str:
    where = f"{short_tap_name(cell['tap'])} ({cell['region']}) @ λ {format_value(cell['lam'], 1)}"
    return (
        f"<b>percentile {format_value(cell['percentile'], 1)}</b> of {format_value(cell['n_id'], 0)} ID-test "
        f"images<br>{where}<br>"
        f"score {format_value(cell['score'])} (draws {format_value(cell['draw_min'])} to "
        f"{format_value(cell['draw_max'])})<br>ID-test median {format_value(cell['id_median'])}, "
        f"ratio {format_value(cell['ratio'], 2)}"
    )
