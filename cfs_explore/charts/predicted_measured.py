"""Predicted against measured AUROC of every cell, with the bound under which none can lie (theory 12, 13)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.cell_scatter import auroc_axes, cell_scatter, diagonal, open_mark, region_traces
from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.marks import CLICKABLE
from cfs_explore.charts.theme import palette
from cfs_explore.wording import format_estimate, format_value

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
    fig = cell_scatter(theme, _HEIGHT_PX, 40, hoverdistance=12, **CLICKABLE)
    colours = palette(theme)
    fig.add_traces(
        [
            _bound(colours.muted, colours.grid),
            diagonal(low, "Measured = predicted", colours.ink),
            *region_traces(known, "predicted", "auroc", _hover),
            *(
                open_mark(row, "Chosen cell", "circle", 17, colours.ink, bars=colours.ink)
                for row in known[known["index"] == chosen].to_dict("records")
            ),
        ]
    )
    auroc_axes(fig, "AUROC predicted from means and variances", "AUROC measured", [low, 1.02], [low, 1.02])
    return fig


def _bound(colour: str, fill: str) -> go.Scatter:
    z = np.concatenate([np.linspace(0, 4, 81), [8.0]])
    normal = NormalDist()
    return go.Scatter(
        x=[normal.cdf(value) for value in z],
        y=(z**2 / (1 + z**2)).tolist(),
        name="Lower bound",
        mode="lines",
        line={"color": colour, "width": 2, "dash": "dashdot"},
        fill="tozeroy",
        fillcolor=fill,
        hoverinfo="skip",
    )


def _hover(row: Mapping) -> str:
    bound = format_value(row["bound"]) if math.isfinite(row["bound"]) else "does not apply (Δ ≤ 0)"
    return (
        f"measured {format_estimate(row['auroc'], row['lo'], row['hi'])}<br>"
        f"predicted {format_value(row['predicted'])}<br>bound {bound}"
    )
