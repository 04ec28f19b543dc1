"""The map of what the trained backbone adds to a control: AUROC(trained) - AUROC(control) (theory 18)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cfs_explore.figures.colour_scale import colour_scale
from cfs_explore.figures.errors import require_columns
from cfs_explore.figures.map_grid import MAP_COLUMNS, MapGrid, map_grid
from cfs_explore.figures.map_heatmap import (
    CLICK_LAYER,
    CLICKABLE,
    heat_trace,
    lay_out_axes,
    region_brackets,
    region_names,
)
from cfs_explore.figures.theme import format_estimate, format_value, new_figure

#: The colours' reach in both directions: the same for every set and control, so that maps can be compared.
REACH = 0.5
#: Readable on the near-neutral cells that it marks, in both themes.
_MARK_COLOUR = "#3F4550"
_TICKS = (-0.5, -0.25, 0.0, 0.25, 0.5)


def excess_map_figure(excess: pd.DataFrame, theme: str = "light") -> go.Figure:
    """Heatmap of the excess over taps (execution order) and levels (clean on top), centred on 0.

    Blue: the trained backbone does better. Brown: the control does. A ring: the 95 % interval includes 0.

    Args:
        excess: one OOD set and control: the columns of a map (``map_grid.MAP_COLUMNS``) and excess, lo, hi, trained,
            control_auroc, seed_sd.
    """
    require_columns(
        excess, (*MAP_COLUMNS, "excess", "lo", "hi", "trained", "control_auroc", "seed_sd"), "map of the excess"
    )
    grid = map_grid(excess, "excess")
    fig = new_figure(
        theme,
        coloraxis=_colour_axis(),
        meta={"kind": "map", "span": grid.span, "rows": len(grid.lams)},
        hoverdistance=60,
        **CLICKABLE,
        showlegend=False,
    )
    fig.add_trace(heat_trace(grid))
    fig.add_trace(_rings(grid))
    fig.add_trace(_hover_layer(grid))
    fig.update_layout(shapes=region_brackets(grid, 7), annotations=region_names(grid))
    lay_out_axes(fig, grid, compact=False)
    return fig


def excess_alt(excess: pd.DataFrame, control: str) -> str:
    """The map in words; ``control`` as in 'untrained copies'."""
    known = excess.dropna(subset=["excess"])
    better, worse = (known["lo"] > 0).sum(), (known["hi"] < 0).sum()
    return (
        f"Map of AUROC of the trained backbone minus that of {control} over {len(known)} cells: median "
        f"{format_value(known['excess'].median())}, from {format_value(known['excess'].min())} to "
        f"{format_value(known['excess'].max())}. The trained backbone is better in {better} cells, worse in {worse}; "
        f"in {len(known) - better - worse} the interval includes 0."
    )


def _colour_axis() -> dict:
    labels = [format_value(tick, 2).rstrip("0").rstrip(".") or "0" for tick in _TICKS]
    return {
        "cmin": -REACH,
        "cmax": REACH,
        "colorscale": colour_scale(0.5),
        "colorbar": {
            "title": {"text": "Excess AUROC", "side": "right"},
            "tickvals": list(_TICKS),
            "ticktext": labels,
            "thickness": 12,
            "len": 1,
            "xpad": 8,
            "ypad": 0,
        },
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


def _hover_layer(grid: MapGrid) -> go.Scatter:
    rows, columns = grid.index.shape
    return go.Scatter(
        x=np.tile(grid.x, rows).tolist(),
        y=np.repeat(np.arange(rows), columns).tolist(),
        mode="markers",
        marker={"symbol": "square", "size": 6, "color": "#808080", "opacity": 0},
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
        customdata=grid.index.ravel().tolist(),
        hovertext=[_hover_text(cell) for cell in grid.cells.to_dict("records")],
        hovertemplate="%{hovertext}<extra></extra>",
        meta=CLICK_LAYER,
    )


def _hover_text(cell: Mapping) -> str:
    where = f"{cell['tap']}<br>{cell['region']} · λ {format_value(cell['lam'], 2)}"
    if not math.isfinite(cell["excess"]):
        return f"<b>not measured</b><br>{where}"
    spread = f", SD over seeds {format_value(cell['seed_sd'])}" if math.isfinite(cell["seed_sd"]) else ""
    return (
        f"<b>Excess {format_estimate(cell['excess'], cell['lo'], cell['hi'])}</b><br>"
        f"trained {format_value(cell['trained'])}, control {format_value(cell['control_auroc'])}{spread}<br>{where}<br>"
        f"n = {cell['n_id']:.0f} ID, {cell['n_ood']:.0f} OOD"
    )
