"""Figures for papers: exact column widths, vector cells, legible type, white page."""

from __future__ import annotations

import re

import plotly.graph_objects as go

from cfs_explore.charts.browser import RENDERER
from cfs_explore.charts.errors import FigureExportError
from cfs_explore.charts.grey import grey_spec, without_hue
from cfs_explore.charts.marks import CLICK_LAYER
from cfs_explore.charts.print_layout import SMALLEST_PX, lay_out
from cfs_explore.charts.print_page import Page
from cfs_explore.charts.sent import decoded
from cfs_explore.charts.small_multiples import strip_layout
from cfs_explore.charts.theme import BASE_FONT_PX, PALETTES, PRINT_FONT, template
from cfs_explore.charts.vector_cells import cells_as_shapes

#: Widths that journals and conferences ask for.
COLUMN_WIDTHS = {
    "single column (84 mm)": 84.0,
    "double column (174 mm)": 174.0,
    "ICML column (3.25 in)": 82.55,
    "NeurIPS text (5.5 in)": 139.7,
    "ICML text (6.75 in)": 171.45,
    "slide (254 mm)": 254.0,
}

FORMATS = ("svg", "pdf", "png")
#: Scale of a PNG of 300 dots per inch.
PRINT_SCALE = 300 / 96
_PX_PER_INCH = 96.0
_PX_PER_POINT = _PX_PER_INCH / 72
_MM = {"mm": 1.0, "cm": 10.0, "in": 25.4}
#: Plotly's own, where a chart sets none.
_MARGIN_PX = {"l": 80, "r": 80, "t": 100, "b": 80}
#: Room for a strip's colour bar, at its right.
_STRIP_BAR_PX = 60.0
#: Room for the line under a small map's name, in the app's type.
_PANEL_PX = 150


def to_pixels(length: str | float) -> float:
    """Pixels at 96 per inch of '84mm', '8.4 cm', '3.3in', '800px', a key of COLUMN_WIDTHS, or a number."""
    if isinstance(length, (int, float)):
        return float(length)
    if length in COLUMN_WIDTHS:
        return COLUMN_WIDTHS[length] / 25.4 * _PX_PER_INCH
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(mm|cm|in|px)\s*", length)
    if match is None:
        raise FigureExportError(
            f"A figure's width or height is a number with mm, cm, in or px, or one of {list(COLUMN_WIDTHS)}. "
            f"Got {length!r} instead."
        )
    number, unit = float(match[1]), match[2]
    return number if unit == "px" else number * _MM[unit] / 25.4 * _PX_PER_INCH


def to_publication(
    fig: go.Figure,
    width: str | float = "84mm",
    height: str | float | None = None,
    font_pt: float = 8,
    grey: bool = False,
) -> go.Figure:
    """A copy of ``fig`` for print: fixed size, white page, light theme, ``font_pt`` type, no click layer.

    ``print_layout`` places the labels and, when it is not given, chooses the height, so that the data have half of
    the page. Heatmap cells become shapes, so that SVG and PDF hold no bitmap. Type shrinks with the column where it
    must, never below 6 pt. ``grey`` makes a figure for a greyscale printer (``to_grey``).
    """
    ratio = font_pt * _PX_PER_POINT / BASE_FONT_PX
    spec = _recoloured(fig.to_dict())
    look = template("light", font_pt * _PX_PER_POINT, PRINT_FONT)
    if grey:
        spec, look = grey_spec(spec), without_hue(look.to_plotly_json())
    spec = _scaled(spec, ratio)
    spec["data"] = [trace for trace in spec["data"] if trace.get("meta") != CLICK_LAYER]
    for trace in spec["data"]:
        if trace["type"] == "scattergl":  # WebGL draws a bitmap
            trace["type"] = "scatter"
    layout = spec["layout"]
    cells_as_shapes(spec)
    margin = {side: value * ratio for side, value in (_MARGIN_PX | layout.get("margin", {})).items()}
    width_px = to_pixels(width)
    margin["autoexpand"] = False  # legend and colour bar have their room
    layout.update(template=look, paper_bgcolor="#FFFFFF", margin=margin, width=width_px, autosize=False)
    meta = layout.get("meta") or {}
    if meta.get("kind") == "strip":
        margin["r"] = _STRIP_BAR_PX
        layout["height"] = _fit_strip(layout, meta, width_px, ratio)
    else:
        small = font_pt * _PX_PER_POINT * 12 / 13
        rows_px = ratio * layout.get("height", 0.0) - margin["t"] - margin["b"]
        lay_out(Page(spec["data"], layout, width_px, small, rows_px))
    if height is not None:
        layout["height"] = to_pixels(height)
    return go.Figure(spec)


def export_bytes(
    fig: go.Figure, format: str = "svg", width: str | float | None = None, scale: float = 1, grey: bool = False
) -> bytes:
    """Image file of ``fig`` as it is; ``width`` first passes it through ``to_publication``.

    Args:
        format: svg, pdf or png.
        width: as for ``to_publication``; None keeps the figure's own size and theme.
        scale: pixels per pixel for png; 96 dpi x scale (3.125 gives 300 dpi).
        grey: for a greyscale printer; with ``width`` alone.
    """
    if format not in FORMATS:
        raise FigureExportError(f"The 'format' of an image must be one of {list(FORMATS)}. Got {format!r} instead.")
    if width is not None:
        fig = to_publication(fig, width, grey=grey)
    options = {
        "format": format,
        "width": fig.layout.width or 1000,
        "height": fig.layout.height or 500,
        "scale": scale if format == "png" else 1,
    }
    return RENDERER.render(fig.to_dict(), options)


def _recoloured(node: object) -> object:
    """A deep copy in which every colour of the dark palette is the light palette's."""
    dark, light = (vars(PALETTES[name]) for name in ("dark", "light"))
    swap = {dark[role]: light[role] for role in dark}
    return _walk(node, lambda _key, value: swap.get(value, value) if isinstance(value, str) else value)


def _scaled(node: object, ratio: float) -> object:
    """A deep copy with explicit type sizes, label shifts and markers scaled (the template is replaced)."""

    def scale(key: str, value: object) -> object:
        if key == "font.size":
            return max(SMALLEST_PX, value * ratio)
        return value * ratio if key in ("xshift", "yshift", "marker.size") else value

    return _walk(node, scale)


def _walk(node: object, change, key: str = "") -> object:
    if isinstance(node, dict) and "bdata" in node:  # an array, as plotly packs it
        return decoded(node).tolist()
    if isinstance(node, dict):
        prefix = "font." if key.endswith("font") else "marker." if key == "marker" else ""
        return {name: _walk(value, change, prefix + name) for name, value in node.items() if name != "template"}
    if isinstance(node, (list, tuple)):
        return [_walk(value, change) for value in node]
    return change(key, node)


def _fit_strip(layout: dict, meta: dict, width_px: float, ratio: float) -> float:
    """As many panels beside each other as their titles allow; returns the height."""
    columns = max(1, int((width_px - layout["margin"]["r"]) // (_PANEL_PX * ratio)))
    arranged = strip_layout(meta, columns, ratio)
    for axis in arranged.keys() - {"height"}:
        layout[axis].update(arranged[axis])
    return arranged["height"]
