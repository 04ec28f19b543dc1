"""The layer x noise map of one OOD set: which tap, at which noise level, tells OOD from ID."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.colour_scale import colour_scale
from cfs_explore.charts.errors import FigureDataError
from cfs_explore.charts.map_grid import MapGrid, lam_labels, map_grid
from cfs_explore.charts.map_marks import mark_traces
from cfs_explore.charts.metric_style import MetricStyle, metric_style
from cfs_explore.charts.tap_names import tick_label
from cfs_explore.charts.theme import (
    BASE_FONT_PX,
    CLEAR,
    REGION_COLOURS,
    format_estimate,
    format_value,
    new_chart,
    text_px,
)
from cfs_explore.wording import counted, percent

#: ``meta`` of the trace that catches clicks; ``export`` leaves it out.
CLICK_LAYER = "click-layer"
#: Streamlit turns clicks into selections only while dragging does not select; fixed axes stop the panning.
CLICKABLE = {"clickmode": "event+select", "dragmode": "pan", "hovermode": "closest"}
ROW_PX = 30
REGION_LABELS = {"input": "In", "encoder": "Encoder", "middle": "Mid", "decoder": "Decoder", "output": "Out"}
Y_TITLE = "log-SNR λ (noisy → clean)"
X_TITLE = "Tap, in order of execution"


def auroc_map_chart(
    frame: pd.DataFrame,
    metric: str = "auroc",
    selected: Iterable[int] = (),
    theme: str = "light",
    compact: bool = False,
    *,
    best: int | None = None,
    published: Iterable[int] = (),
) -> go.Figure:
    """Heatmap of ``metric`` over taps (execution order) and levels (clean on top).

    Args:
        frame: tidy map of one OOD set: level, tap, tap_index, region, depth (0..1), resolution, lam,
            requested, n_id, n_ood and the metric; where given, <metric>_lo, <metric>_hi, draws and draw_sd
            are shown on hover.
        metric: a key of ``metric_style.METRICS``.
        selected: cell indices (level * T + tap_index) to outline, numbered in this order when several.
        theme: light or dark.
        compact: without labels and colour bar, for a strip of small maps.
        best: cell index with a star.
        published: cell indices with a small dot.

    The heatmap itself is deaf (``hoverinfo='skip'``); an invisible scatter trace over the cell centres
    answers hover and click with the cell index in ``customdata``. Its markers are small on purpose: plotly
    then picks the NEAREST centre within ``hoverdistance``, so that a click anywhere in a cell of any size
    finds that cell, whereas among overlapping large markers it takes the last one.
    """
    style = metric_style(metric)
    grid = map_grid(frame, metric)
    fig = new_chart(
        theme,
        coloraxis=colour_axis(style, frame, bar=not compact),
        meta={"kind": "map", "span": grid.span, "rows": len(grid.lams)},
        hoverdistance=60,
        **CLICKABLE,
        showlegend=False,
    )
    fig.add_traces(
        [heat_trace(grid, gap=0 if compact else 1), *mark_traces(grid, best, published), _click_trace(grid, style)]
    )
    outlines, numbers = _selected_marks(grid, [int(index) for index in selected], best)
    names = [] if compact else region_names(grid)
    # At once: added one by one, plotly checks all of them each time.
    fig.update_layout(shapes=region_brackets(grid, 5 if compact else 7) + outlines, annotations=names + numbers)
    lay_out_axes(fig, grid, compact)
    return fig


def colour_axis(style: MetricStyle, frame: pd.DataFrame, bar: bool = True) -> dict:
    """Plotly colour axis with the fixed range 0..1, neutral at the metric's chance value."""
    chance = style.neutral(frame)
    chance_text = format_value(chance, 2).rstrip("0")
    return {
        "cmin": 0,
        "cmax": 1,
        "colorscale": colour_scale(chance, style.higher_is_better),
        "showscale": bar,
        "colorbar": {
            "title": {"text": f"{style.label} ({style.neutral_name} {chance_text})", "side": "right"},
            "tickvals": [0, 0.25, 0.5, 0.75, 1],
            "ticktext": ["0", "0.25", "0.5", "0.75", "1"],
            "thickness": 12,
            "len": 1,
            "xpad": 8,
            "ypad": 0,
        },
    }


def bar_margin(labels: Iterable[str]) -> int:
    """Pixels at a map's right for a colour bar with these tick labels and a title beside them."""
    small = BASE_FONT_PX * 12 / 13
    return round(8 + 12 + 5 + max(text_px(label, small) for label in labels) + 2 * small)


def heat_trace(grid: MapGrid, gap: float = 1, **axes) -> go.Heatmap:
    """The coloured cells, ``gap`` px apart; empty columns keep region groups apart."""
    edges, z = grid.padded()
    return go.Heatmap(
        x=edges.tolist(),
        y=[row - 0.5 for row in range(len(grid.lams) + 1)],
        z=z,
        coloraxis="coloraxis",
        hoverinfo="skip",
        xgap=gap,
        ygap=gap,
        **axes,
    )


def _click_trace(grid: MapGrid, style: MetricStyle) -> go.Scatter:
    rows, columns = grid.index.shape
    return go.Scatter(
        x=np.tile(grid.x, rows).tolist(),
        y=np.repeat(np.arange(rows), columns).tolist(),
        mode="markers",
        marker={"symbol": "square", "size": 6, "color": "#808080", "opacity": 0},
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
        customdata=grid.index.ravel().tolist(),
        hovertext=[_hover_text(cell, style) for cell in grid.cells.to_dict("records")],
        hovertemplate="%{hovertext}<extra></extra>",
        meta=CLICK_LAYER,
        showlegend=False,
    )


def _hover_text(cell: Mapping, style: MetricStyle) -> str:
    side = format_value(cell["resolution"], 0)
    where = (
        f"{cell['tap']}<br>{cell['region']} · depth {percent(cell['depth'])} · {side} × {side}<br>"
        f"λ {format_value(cell['lam'], 2)} (requested {format_value(cell['requested'], 2)})"
    )
    if not np.isfinite(cell[style.key]):
        return f"<b>{style.label}: not measured</b><br>{where}"
    value = format_estimate(cell[style.key], cell.get(f"{style.key}_lo"), cell.get(f"{style.key}_hi"))
    counts = f"n = {format_value(cell['n_id'], 0)} ID, {format_value(cell['n_ood'], 0)} OOD"
    if "draws" in cell:
        counts += f"<br>{counted(int(cell['draws']), 'noise draw')}"
        if np.isfinite(cell.get("draw_sd", np.nan)):
            counts += f", SD over draws {format_value(cell['draw_sd'], 4)}"
    return f"<b>{style.label} {value}</b><br>{where}<br>{counts}"


def region_brackets(grid: MapGrid, top: int = 7) -> list[dict]:
    """A coloured bracket above each region's columns, from 3 to ``top`` px above the map."""
    return [
        {
            "type": "rect",
            "xref": "x",
            "yref": "paper",
            "x0": grid.x[group.first] - 0.5,
            "x1": grid.x[group.last] + 0.5,
            "yanchor": 1,
            "ysizemode": "pixel",
            "y0": 3,
            "y1": top,
            "fillcolor": REGION_COLOURS[group.region],
            "line": {"width": 0},
        }
        for group in grid.groups
    ]


def region_names(grid: MapGrid) -> list[dict]:
    return [
        {
            "x": (grid.x[group.first] + grid.x[group.last]) / 2,
            "xref": "x",
            "y": 1,
            "yref": "paper",
            "yanchor": "bottom",
            "yshift": 7,
            "text": REGION_LABELS[group.region],
        }
        for group in grid.groups
    ]


def _selected_marks(grid: MapGrid, selected: list[int], best: int | None) -> tuple[list[dict], list[dict]]:
    """White-and-black outlines, visible on every cell colour and both pages; numbers when several, beside the star."""
    unknown = [index for index in selected if index not in grid.index]
    if unknown:
        raise FigureDataError(
            f"The 'selected' cells {unknown} are not in this map. A cell index is level * T + tap_index, "
            f"here from {grid.index.min()} to {grid.index.max()}."
        )
    outlines, numbers = [], []
    for number, index in enumerate(selected, start=1):
        row, column = np.argwhere(grid.index == index)[0]
        x, y = grid.x[column], float(row)
        box = {"type": "rect", "x0": x - 0.5, "x1": x + 0.5, "y0": y - 0.5, "y1": y + 0.5, "fillcolor": CLEAR}
        for colour, width in (("#FFFFFF", 4), ("#000000", 2)):
            outlines.append({**box, "name": f"selected {index}", "line": {"color": colour, "width": width}})
        if len(selected) > 1:
            numbers.append(
                {
                    "x": x,
                    "y": y,
                    "text": f"<b>{number}</b>",
                    "font": {"color": "#FFFFFF", "size": 11},
                    "bgcolor": "#000000",
                    "borderpad": 1,
                    "name": f"selected {index}",
                    **({"xanchor": "left", "xshift": 5} if index == best else {}),
                }
            )
    return outlines, numbers


def lay_out_axes(fig: go.Figure, grid: MapGrid, compact: bool) -> None:
    rows = len(grid.lams)
    x_axis = {"range": [grid.x[0] - 0.55, grid.x[-1] + 0.55], "fixedrange": True}
    y_axis = {"range": [rows - 0.5, -0.5], "fixedrange": True}
    if compact:
        fig.update_xaxes(visible=False, **x_axis)
        fig.update_yaxes(visible=False, **y_axis)
        fig.update_layout(height=12 * rows + 14, margin={"l": 2, "r": 2, "t": 10, "b": 4})
        return
    ticks = [tick_label(name) for name in grid.taps]
    labels = lam_labels(grid.lams)
    small = BASE_FONT_PX * 12 / 13
    bottom = 0.75 * max(text_px(label, small) for label in ticks) + 34
    left = max(text_px(label, small) for label in labels) + 34
    fig.update_xaxes(tickvals=grid.x.tolist(), ticktext=ticks, tickangle=-45, title_text=X_TITLE, **x_axis)
    fig.update_yaxes(tickvals=list(range(rows)), ticktext=labels, title_text=Y_TITLE, **y_axis)
    fig.update_layout(
        height=round(ROW_PX * rows + 32 + bottom),
        margin={"l": round(left), "r": 70, "t": 32, "b": round(bottom)},
    )
