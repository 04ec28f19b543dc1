"""Parts that many charts share: hover texts, error bars, pictures, the layer that answers clicks, a legend."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Sequence

import plotly.graph_objects as go

from cfs_explore.charts.theme import Palette, new_chart

#: ``meta`` of the trace that catches clicks; ``export`` leaves it out.
CLICK_LAYER = "click-layer"
#: Streamlit turns clicks into selections only while dragging does not select; fixed axes stop the panning.
CLICKABLE = {"clickmode": "event+select", "dragmode": "pan", "hovermode": "closest"}


def hovers(texts: Iterable[str], *, named: bool = False) -> dict:
    """What each point of a trace says; the only way for a number, as plotly's own formats have no true minus.

    Args:
        named: whether the trace's name stands beside, as where one hover tells of all traces.
    """
    return {"hovertext": list(texts), "hovertemplate": "%{hovertext}" + "<extra></extra>" * (not named)}


def limits(
    values: Iterable[float],
    lo: Iterable[float],
    hi: Iterable[float],
    colour: str,
    thickness: float = 2,
    width: float = 0,
) -> dict:
    """Error bars from ``lo`` to ``hi``; without any finite limit none are drawn."""
    ends = list(zip(values, lo, hi, strict=True))
    bars = {"type": "data", "symmetric": False, "color": colour, "thickness": thickness, "width": width}
    if not any(math.isfinite(low) or math.isfinite(high) for _, low, high in ends):
        return bars
    up, down = [high - value for value, _, high in ends], [value - low for value, low, _ in ends]
    return {**bars, "array": up, "arrayminus": down}


def unfaded(opacity: float = 1) -> dict:
    """Of a trace's markers: a click on one must not fade the others."""
    return {state: {"marker": {"opacity": opacity}} for state in ("selected", "unselected")}


def click_layer(x: Sequence[float], y: Sequence[float], texts: Iterable[str], **more: object) -> go.Scatter:
    """Invisible points that answer hover with these texts, and clicks with ``customdata`` where it is given.

    They are small on purpose: plotly then picks the NEAREST one within ``hoverdistance``, so that a click anywhere in a
    cell of any size finds that cell, whereas among overlapping large markers it takes the last one.
    """
    marker = {"symbol": "square", "size": 6, "color": "#808080", "opacity": 0}
    return go.Scatter(x=x, y=y, mode="markers", marker=marker, meta=CLICK_LAYER, **hovers(texts), **unfaded(0), **more)


def layout_image(png: bytes, **place: object) -> dict:
    """An image of a figure's layout, below its traces; ``place`` in the units of the axes: x, y, sizex, sizey, ..."""
    source = "data:image/png;base64," + base64.b64encode(png).decode()
    return {"source": source, "xref": "x", "yref": "y", "layer": "below", **place}


def labelled_line(
    fig: go.Figure,
    x: float,
    text: str,
    colours: Palette,
    *,
    log: bool = False,
    foot: bool = False,
    left: bool = False,
    **line: object,
) -> None:
    """A dotted vertical line with a text beside it, at the top of the plot or at its ``foot``.

    The text covers the lines of the grid, which would run through it.

    Args:
        colours: of the theme.
        log: whether the axis is logarithmic: a text then stands at the exponent, unlike a line.
        left: whether the text stands at the left, as where the line is near the plot's right end.
    """
    fig.add_vline(x=x, line={"color": colours.muted, "width": 1, "dash": "dot"}, **line)
    place = {"y": 0, "yanchor": "bottom"} if foot else {"y": 1, "yanchor": "top"}
    side, shift = ("right", -4) if left else ("left", 4)
    place |= {"x": math.log10(x) if log else x, "yref": "paper", "xanchor": side, "xshift": shift, "align": side}
    font = {"size": 11, "color": colours.muted}
    fig.add_annotation(text=text, font=font, bgcolor=colours.page, borderpad=1, **place)


def wide_chart(theme: str, height: int, *, left: int = 62) -> go.Figure:
    """An empty wide chart under a legend in one line; ``left`` is the room for the title of its y axis, in pixels."""
    return new_chart(
        theme,
        height=height,
        meta={"kind": "wide"},
        hovermode="closest",
        legend=flat_legend(1.0),
        margin={"l": left, "r": 16, "t": 36, "b": 48},
    )


def flat_legend(y: float = 1.01) -> dict:
    """A legend whose entries stand in a line above the plot, from the left."""
    return {"orientation": "h", "x": 0, "y": y, "xanchor": "left", "yanchor": "bottom"}
