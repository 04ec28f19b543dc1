"""A strip of small maps, one per OOD set, to compare and to pick from."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import FigureDataError
from cfs_explore.charts.map_grid import MapGrid, map_grid
from cfs_explore.charts.map_heatmap import colour_axis, heat_trace, region_brackets
from cfs_explore.charts.marks import CLICKABLE, click_layer
from cfs_explore.charts.metric_style import metric_style
from cfs_explore.charts.theme import CLEAR, new_chart, palette

_CELL_ROW_PX = 11
_TITLE_PX = 44
_COLUMN_GAP = 0.03


def small_multiples_chart(
    frames: Mapping[str, pd.DataFrame],
    metric: str = "auroc",
    theme: str = "light",
    best: Mapping[str, str] | None = None,
    selected: str | None = None,
    columns: int = 4,
    row_px: int = _CELL_ROW_PX,
) -> go.Figure:
    """Small maps on one colour scale, at most ``columns`` beside each other, each under its set's name.

    Args:
        frames: OOD set's name -> its tidy map (columns as for ``auroc_map_chart``).
        metric: auroc, aupr, aupr_id or fpr95.
        best: OOD set's name -> text under the name, e.g. 'best 0.912 [0.901, 0.922]'.
        selected: name of the set that is on show elsewhere; it gets a frame.
        row_px: height of a level.

    A click anywhere in a panel reports the panel's position in ``frames`` as ``customdata``.
    """
    if not frames:
        raise FigureDataError("There is no OOD set to show. Add one to the exploration.")
    style = metric_style(metric)
    grids = {name: map_grid(frame, metric) for name, frame in frames.items()}
    panel_px = row_px * max(len(grid.lams) for grid in grids.values())
    axis = colour_axis(style, next(iter(frames.values())))
    axis["colorbar"].update(thickness=8, len=panel_px, lenmode="pixels", y=0, yanchor="bottom", tickvals=[0, 0.5, 1])
    axis["colorbar"].update(ticktext=["0", "0.5", "1"], title={"text": style.label, "side": "right"})
    meta = {"kind": "strip", "panels": len(grids), "panel_px": panel_px}
    fig = new_chart(
        theme,
        coloraxis=axis,
        meta=meta,
        hoverdistance=-1,
        **CLICKABLE,
        margin={"l": 4, "r": 60, "t": 0, "b": 12},
        showlegend=False,
    )
    axes, traces, shapes, titles = {}, [], [], []  # added at once: one by one, plotly checks all of them each time
    for k, (name, grid) in enumerate(grids.items()):
        text = (best or {}).get(name, "")
        x, y = _axis_names(k)
        axes |= _panel_axes(x, y, grid)
        traces += [heat_trace(grid, gap=0, xaxis=x, yaxis=y), _click_point(k, grid, f"<b>{name}</b><br>{text}")]
        shapes += region_brackets(grid.groups, grid.x, 2, 4, x, f"{y} domain")
        titles += _titles(x, y, f"<b>{name}</b>", text, palette(theme).muted)
    fig.add_traces(traces)
    places = strip_layout(meta, columns)
    fig.update_layout({**places, **{key: value | places[key] for key, value in axes.items()}})
    fig.update_layout(shapes=shapes, annotations=titles)
    if selected in grids:
        frame_panel(fig, list(grids).index(selected), theme)
    return fig


def frame_panel(figure: go.Figure, position: int, theme: str) -> None:
    """Put a frame around a panel of ``small_multiples_chart``, which is on show elsewhere."""
    figure.add_shape(_frame(*_axis_names(position), palette(theme).ink))


def strip_layout(meta: Mapping, columns: int, scale: float = 1.0) -> dict:
    """Height and axis domains that put ``meta['panels']`` panels in rows of at most ``columns``.

    ``meta`` is the figure's ``layout.meta``; ``scale`` is the type's size relative to the app's.
    """
    panels, panel_px = meta["panels"], meta["panel_px"]
    rows = math.ceil(panels / columns)
    columns = math.ceil(panels / rows)  # 5 panels in at most 4 columns: 3 + 2
    row_px = panel_px + _TITLE_PX * scale
    width = (1 - _COLUMN_GAP * (columns - 1)) / columns
    layout: dict = {"height": rows * row_px + 12 * scale}
    for k in range(panels):
        row, column = divmod(k, columns)
        left, bottom = column * (width + _COLUMN_GAP), (rows - 1 - row) / rows
        x, y = _axis_names(k)
        layout[f"xaxis{x[1:]}"] = {"domain": [left, min(1.0, left + width)]}
        layout[f"yaxis{y[1:]}"] = {"domain": [bottom, bottom + panel_px / (rows * row_px)]}
    return layout


def _axis_names(k: int) -> tuple[str, str]:
    number = "" if k == 0 else str(k + 1)
    return f"x{number}", f"y{number}"


def _panel_axes(x: str, y: str, grid: MapGrid) -> dict:
    hidden = {"visible": False, "fixedrange": True}
    return {
        f"xaxis{x[1:]}": {"anchor": y, "range": [grid.x[0] - 0.6, grid.x[-1] + 0.6], **hidden},
        f"yaxis{y[1:]}": {"anchor": x, "range": [len(grid.lams) - 0.4, -0.6], **hidden},
    }


def _titles(x: str, y: str, name: str, text: str, muted: str) -> list[dict]:
    place = {
        "x": 0,
        "xref": f"{x} domain",
        "xanchor": "left",
        "y": 1,
        "yref": f"{y} domain",
        "yanchor": "bottom",
    }
    return [
        {"text": name, "yshift": 21, **place},
        {"text": text, "yshift": 6, "font": {"size": 11, "color": muted}, **place},
    ]


def _click_point(k: int, grid: MapGrid, text: str) -> go.Scatter:
    """One invisible point in the panel's middle; without a hover cutoff it answers for the whole panel."""
    x, y = _axis_names(k)
    middle = float(grid.x[0] + grid.x[-1]) / 2, (len(grid.lams) - 1) / 2
    return click_layer([middle[0]], [middle[1]], [text], customdata=[k], xaxis=x, yaxis=y)


def _frame(x: str, y: str, colour: str) -> dict:
    return {
        "type": "rect",
        "xref": f"{x} domain",
        "yref": f"{y} domain",
        "x0": 0,
        "x1": 1,
        "y0": 0,
        "y1": 1,
        "line": {"color": colour, "width": 2},
        "fillcolor": CLEAR,
    }
