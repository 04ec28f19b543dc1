"""Where cells find what is marked: a map of pixel AUROC or AUPRO, and localisation against detection (theory 24)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.cell_scatter import auroc_axes, cell_scatter, region_traces
from cfs_explore.charts.errors import require_columns, require_known
from cfs_explore.charts.map_grid import MAP_COLUMNS, map_grid
from cfs_explore.charts.map_heatmap import colour_axis, grid_chart
from cfs_explore.charts.map_marks import mark_traces
from cfs_explore.charts.metric_style import MetricStyle
from cfs_explore.charts.theme import Palette, palette
from cfs_explore.wording import format_estimate, format_value, percent

#: Column of the table ``localisation`` -> how it is called; a map without any knowledge has AUPRO 0.3 / 2.
MEASURES = {
    "auroc": MetricStyle("auroc", "Pixel AUROC", chance=0.5),
    "aupro": MetricStyle("aupro", "AUPRO", chance=0.15),
}
#: What stands in the corners of the scatter: (right, up).
CORNERS = {
    (True, True): "detects and localises",
    (True, False): "only detects",
    (False, True): "only localises",
    (False, False): "neither",
}
#: Where the detection axis begins at the latest, so that a corner has room for its name.
_LEFT = 0.3


def localisation_map_chart(cells: pd.DataFrame, measure: str, best: int | None, theme: str = "light") -> go.Figure:
    """Heatmap over taps (execution order) and levels (clean on top), coloured as the map of the exploration.

    Args:
        cells: of one OOD set, network and part: the columns of a map (``map_grid.MAP_COLUMNS``), auroc, lo, hi, aupro,
            aupro_lo, aupro_hi, detection, detection_lo, detection_hi.
        measure: of ``MEASURES``.
        best: cell index with a star.
    """
    require_known(pd.Series([measure]), MEASURES, "The 'measure' of a map")
    require_columns(cells, (*MAP_COLUMNS, "detection", measure), "map of localisation")
    grid = map_grid(cells, measure)
    texts = [_map_hover(cell, measure) for cell in grid.cells.to_dict("records")]
    return grid_chart(theme, grid, colour_axis(MEASURES[measure], cells), mark_traces(grid, best, ()), texts)


def localisation_scatter_chart(cells: pd.DataFrame, measure: str, theme: str = "light") -> go.Figure:
    """A mark per cell: AUROC of detection on x, localisation on y; lines of chance, and what each corner means.

    Args:
        cells: as for ``localisation_map_chart``; those without a number are left out.
    """
    require_columns(cells, ("tap", "region", "lam", "detection", measure), "localisation against detection")
    known, style, colours = cells.dropna(subset=[measure, "detection"]), MEASURES[measure], palette(theme)
    fig = cell_scatter(theme, 470, 40, hovermode="closest", dragmode="pan")
    fig.add_traces(region_traces(known, "detection", measure, lambda row: _numbers(row, measure), clicks=False))
    lowest = known[["detection", measure]].min().fillna(1)
    starts = min(_LEFT, lowest["detection"] - 0.03), min(style.chance - 0.2, lowest[measure] - 0.03)
    ranges = [[max(math.floor(10 * start) / 10, -0.02), 1.02] for start in starts]
    line = {"color": colours.ink, "width": 1, "dash": "dot"}
    fig.add_vline(x=0.5, line=line, layer="below")
    fig.add_hline(y=style.chance, line=line, layer="below")
    fig.update_layout(annotations=[_corner(right, up, text, colours) for (right, up), text in CORNERS.items()])
    auroc_axes(fig, "AUROC of detection, by the slot score", f"{style.label} of localisation", *ranges)
    return fig


def _corner(right: bool, up: bool, text: str, colours: Palette) -> dict:
    """A corner's name; it covers the lines of the grid, which would run through it."""
    across = {"x": 1, "xanchor": "right", "xshift": -4} if right else {"x": 0, "xanchor": "left", "xshift": 4}
    along = {"y": 1, "yanchor": "top", "yshift": -4} if up else {"y": 0, "yanchor": "bottom", "yshift": 4}
    look = {"font": {"color": colours.muted}, "bgcolor": colours.page, "borderpad": 1}
    return {**across, **along, "xref": "paper", "yref": "paper", "text": f"<i>{text}</i>", **look}


def _map_hover(cell: Mapping, measure: str) -> str:
    side = format_value(cell["resolution"], 0)
    where = (
        f"{cell['tap']}<br>{cell['region']} · depth {percent(cell['depth'])} · {side} × {side}<br>"
        f"λ {format_value(cell['lam'], 2)} (requested {format_value(cell['requested'], 2)})"
    )
    if not math.isfinite(cell[measure]):
        why = "a map of 1 × 1: nothing to localise" if cell["resolution"] == 1 else "not measured"
        return f"<b>{MEASURES[measure].label}: {why}</b><br>{where}"
    return f"<b>{_numbers(cell, measure).replace('<br>', '</b><br>', 1)}<br>{where}"


def _numbers(cell: Mapping, measure: str) -> str:
    other = next(name for name in MEASURES if name != measure)
    lines = [f"{MEASURES[name].label} {estimate(cell, name)}" for name in (measure, other)]
    return "<br>".join([*lines, f"detection AUROC {estimate(cell, 'detection')}"])


def estimate(cell: Mapping, name: str) -> str:
    """A number of a row of the table ``localisation`` with its interval; that of auroc is lo and hi."""
    prefix = "" if name == "auroc" else f"{name}_"
    return format_estimate(cell[name], cell[f"{prefix}lo"], cell[f"{prefix}hi"])
