"""The frame of a map's open cell, laid over the chart: a click moves it, and no map is sent or drawn again."""

from __future__ import annotations

import plotly.graph_objects as go

from cfs_explore.charts.map_marks import OPEN_CELL, OPEN_CELL_COLOUR


def frame_style(chart: go.Figure, key: str) -> str:
    """CSS that draws the frame of ``chart`` over the same chart without it; "" where no cell of the map is open.

    Args:
        chart: a map with fixed margins and axis ranges, and the frame as a shape.
        key: of the chart on the page.
    """
    box = next((shape for shape in chart.layout.shapes if shape.name == OPEN_CELL), None)
    if box is None:
        return ""
    margin, x, y = chart.layout.margin, chart.layout.xaxis.range, chart.layout.yaxis.range
    left, width = _along((box.x0, box.x1), x, margin.l, margin.r)
    top, height = _along((box.y0, box.y1), tuple(reversed(y)), margin.t, margin.b)
    return (
        f"<style>.st-key-{key} .js-plotly-plot {{position: relative}} .st-key-{key} .js-plotly-plot::after {{"
        f"content: ''; position: absolute; pointer-events: none; left: {left}; width: {width}; top: {top}; "
        f"height: {height}; outline: 3px solid {OPEN_CELL_COLOUR}; outline-offset: -1.5px}}</style>"
    )


def _along(ends: tuple[float, float], shown: tuple[float, float], before: float, after: float) -> tuple[str, str]:
    """Where a stretch of an axis begins and how long it is, for an axis between two margins in pixels."""
    first, last = sorted((end - shown[0]) / (shown[1] - shown[0]) for end in ends)
    room = f"(100% - {before + after:g}px)"
    return f"calc({before:g}px + {first:.6f} * {room})", f"calc({last - first:.6f} * {room})"
