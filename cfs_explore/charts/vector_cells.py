"""Heatmap cells as rectangles: plotly draws a heatmap as a bitmap, which a printed page shows."""

from __future__ import annotations

from plotly.colors import sample_colorscale


def cells_as_shapes(spec: dict, gap: float = 0.06) -> None:
    """Replace every heatmap trace of a figure dictionary by rectangles, in place.

    A smooth one stays a bitmap, as the picture below it is. Cells are ``gap`` of a cell apart where the heatmap had
    gaps. The colour bar stays, carried by a trace without a visible point. Traces must share ``layout.coloraxis`` and
    give x and y as cell edges, as ``map_heatmap.heat_trace`` does.
    """
    layout = spec["layout"]
    axis = layout.get("coloraxis")
    cells, traces = [], []
    for trace in spec["data"]:
        if trace["type"] != "heatmap" or trace.get("zsmooth"):
            traces.append(trace)
            continue
        cells += _rectangles(trace, axis, gap)
        traces.append(_colour_carrier(trace))
    spec["data"] = traces
    # Cells first: brackets and outlines are drawn over them.
    layout["shapes"] = cells + list(layout.get("shapes", []))


def _rectangles(trace: dict, axis: dict, gap: float) -> list[dict]:
    x, y = trace["x"], trace["y"]
    span = axis["cmax"] - axis["cmin"]
    shapes = []
    if not trace.get("xgap"):
        gap = 0.0
    for i, row in enumerate(trace["z"]):
        for j, value in enumerate(row):
            if value is None:
                continue
            share = min(1.0, max(0.0, (value - axis["cmin"]) / span))
            colour = sample_colorscale(axis["colorscale"], [share])[0]
            shapes.append(
                {
                    "type": "rect",
                    # Below the marks that other traces put on the cells.
                    "layer": "below",
                    "xref": trace.get("xaxis", "x"),
                    "yref": trace.get("yaxis", "y"),
                    "x0": x[j] + gap / 2,
                    "x1": x[j + 1] - gap / 2,
                    "y0": y[i] + gap / 2,
                    "y1": y[i + 1] - gap / 2,
                    "fillcolor": colour,
                    # Touching cells overlap by a hair: viewers would show the page between them.
                    "line": {"width": 0 if gap else 0.4, "color": colour},
                }
            )
    return shapes


def _colour_carrier(trace: dict) -> dict:
    carrier = {
        "type": "scatter",
        "mode": "markers",
        "x": [trace["x"][0]],
        "y": [trace["y"][0]],
        "marker": {"coloraxis": "coloraxis", "color": [0.5], "opacity": 0},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    return carrier | {axis: trace[axis] for axis in ("xaxis", "yaxis") if axis in trace}
