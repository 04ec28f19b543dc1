"""The layer x noise map of one OOD set: which tap, at which noise level, tells OOD from ID."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.colour_scale import colour_scale
from cfs_explore.charts.errors import FigureDataError
from cfs_explore.charts.map_grid import Group, MapGrid, lam_labels, map_grid
from cfs_explore.charts.map_marks import mark_traces
from cfs_explore.charts.marks import CLICKABLE, click_layer
from cfs_explore.charts.metric_style import MetricStyle, metric_style
from cfs_explore.charts.tap_names import tap_ticks, taps_px, tick_label
from cfs_explore.charts.theme import BASE_FONT_PX, CLEAR, REGION_COLOURS, new_chart, text_px
from cfs_explore.wording import counted, format_estimate, format_value, percent

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

    The heatmap itself is deaf (``hoverinfo='skip'``); ``cell_layer`` answers hover and click with the cell index in
    ``customdata``.
    """
    style = metric_style(metric)
    grid = map_grid(frame, metric)
    texts = [_hover_text(cell, style) for cell in grid.cells.to_dict("records")]
    marks = _selected_marks(grid, [int(index) for index in selected], best)
    axis = colour_axis(style, frame, bar=not compact)
    return grid_chart(theme, grid, axis, mark_traces(grid, best, published), texts, marks, compact)


def grid_chart(
    theme: str,
    grid: MapGrid,
    axis: dict,
    traces: Sequence[go.Scatter],
    texts: Iterable[str],
    marks: tuple[list[dict], list[dict]] = ([], []),
    compact: bool = False,
) -> go.Figure:
    """Any map: coloured cells, regions above them, and a layer that answers hover and clicks.

    Args:
        axis: plotly's colour axis.
        traces: what lies on the cells, below that layer.
        texts: what each cell says on hover, row by row.
        marks: further shapes and annotations.
        compact: without labels.
    """
    fig = new_chart(
        theme,
        coloraxis=axis,
        meta={"kind": "map", "span": grid.span, "rows": len(grid.lams)},
        hoverdistance=60,
        **CLICKABLE,
        showlegend=False,
    )
    fig.add_traces([heat_trace(grid, gap=0 if compact else 1), *traces, _cell_layer(grid, texts)])
    brackets = region_brackets(grid.groups, grid.x, 3, 5 if compact else 7)
    names = [] if compact else region_names(grid.groups, grid.x)
    # At once: added one by one, plotly checks all of them each time.
    fig.update_layout(shapes=brackets + marks[0], annotations=names + marks[1])
    _lay_out_axes(fig, grid, compact)
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
        "colorbar": colour_bar(
            f"{style.label} ({style.neutral_name} {chance_text})",
            [0, 0.25, 0.5, 0.75, 1],
            ["0", "0.25", "0.5", "0.75", "1"],
        ),
    }


def colour_bar(title: str, ticks: Sequence[float], labels: Sequence[str]) -> dict:
    """Plotly colour bar at a map's right, as high as the map."""
    text, ends = {"text": title, "side": "right"}, {"x": 1, "len": 1, "xpad": 8, "ypad": 0}
    return {"title": text, "tickvals": list(ticks), "ticktext": list(labels), "thickness": 12, **ends}


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


def _cell_layer(grid: MapGrid, texts: Iterable[str]) -> go.Scatter:
    """Answers hover with these texts, and clicks with the cell index."""
    rows, columns = grid.index.shape
    x, y = np.tile(grid.x, rows).tolist(), np.repeat(np.arange(rows), columns).tolist()
    return click_layer(x, y, texts, customdata=grid.index.ravel().tolist(), showlegend=False)


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


def region_brackets(
    groups: Iterable[Group], x: np.ndarray, bottom: int, top: int, xref: str = "x", yref: str = "paper"
) -> list[dict]:
    """A coloured bracket above each region's columns, from ``bottom`` to ``top`` px above the map."""
    return [
        {
            "type": "rect",
            "xref": xref,
            "yref": yref,
            "x0": x[group.first] - 0.5,
            "x1": x[group.last] + 0.5,
            "yanchor": 1,
            "ysizemode": "pixel",
            "y0": bottom,
            "y1": top,
            "fillcolor": REGION_COLOURS[group.region],
            "line": {"width": 0},
        }
        for group in groups
    ]


def region_names(groups: Iterable[Group], x: np.ndarray) -> list[dict]:
    """The name above each bracket."""
    place = {"xref": "x", "y": 1, "yref": "paper", "yanchor": "bottom", "yshift": 7}
    return [
        {**place, "x": (x[group.first] + x[group.last]) / 2, "text": REGION_LABELS[group.region]} for group in groups
    ]


def outline(x: float, y: float, name: str) -> list[dict]:
    """A cell's outline, white and black: visible on every cell colour and both pages."""
    box = {"type": "rect", "x0": x - 0.5, "x1": x + 0.5, "y0": y - 0.5, "y1": y + 0.5, "fillcolor": CLEAR, "name": name}
    return [{**box, "line": {"color": colour, "width": width}} for colour, width in (("#FFFFFF", 4), ("#000000", 2))]


def _selected_marks(grid: MapGrid, selected: list[int], best: int | None) -> tuple[list[dict], list[dict]]:
    """Outlines; numbers when several, beside the star."""
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
        outlines += outline(x, y, f"selected {index}")
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


def _lay_out_axes(fig: go.Figure, grid: MapGrid, compact: bool) -> None:
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
    right = bar_margin(fig.layout.coloraxis.colorbar.ticktext)
    places = grid.x.tolist()
    fig.update_xaxes(**tap_ticks(ticks, places), title_text=X_TITLE, **x_axis)
    fig.update_yaxes(tickvals=list(range(rows)), ticktext=labels, title_text=Y_TITLE, **y_axis)
    fig.update_layout(
        meta=fig.layout.meta | {"least_px": taps_px(places, {"l": left, "r": right})},
        height=round(ROW_PX * rows + 32 + bottom),
        margin={"l": round(left), "r": right, "t": 32, "b": round(bottom), "autoexpand": False},
    )
