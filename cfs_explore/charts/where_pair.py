"""A few pictures, each with its two score maps over it, side by side; a scale under either map (theory 22, 23)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from cfs_explore.charts import where_overlay as overlay
from cfs_explore.charts.marks import click_layer, layout_image
from cfs_explore.charts.theme import new_chart, palette
from cfs_explore.contracts import PARTS, SCORE
from cfs_explore.wording import format_digits, format_value

#: Shares of the way along a scale that have a number.
_TICKS = (0, 0.5, 1)
#: Width of a picture, and in widths: what it fills of its place, room for a line of text, height of a scale.
_CELL_PX, _FILL, _LINE, _BAR = 190, 0.94, 0.14, 0.08
_MARGIN = {"l": 4, "r": 8, "t": 4, "b": 6}


def where_pair_chart(
    pictures: Mapping[str, np.ndarray], maps: np.ndarray, ends: Mapping[str, float], theme: str = "light"
) -> go.Figure:
    """A row per picture: what each position adds to its score, and how far it lies from ID-train.

    Args:
        pictures: what each is called -> uint8 (C, H, W), of one shape.
        maps: A_p and B_p of each picture, (n, 2, h, w).
        ends: part -> where its colours end, of ``where_overlay.reach``.
    """
    _, height, width = next(iter(pictures.values())).shape
    row = _LINE + height / width
    total = _LINE + len(pictures) * row + _LINE / 2 + _BAR + _LINE
    fig = new_chart(
        theme,
        height=round(_CELL_PX * total + _MARGIN["t"] + _MARGIN["b"]),
        meta={"kind": "map", "span": len(PARTS), "rows": total},
        coloraxis={"showscale": False},
        margin=_MARGIN,
        hovermode="closest",
        hoverdistance=60,
        showlegend=False,
    )
    images, notes, points = [], [], ([], [], [])
    for column, part in enumerate(PARTS):
        notes.append(_note(f"<b>{overlay.TITLES[part]}</b>", column - _FILL / 2, 0, palette(theme).ink))
        for k, (name, pixels) in enumerate(pictures.items()):
            values, top = maps[k, column], _LINE + k * row + _LINE
            text = f"{name}, mean {format_value(float(values.mean(dtype=np.float64)))}"
            notes.append(_note(text, column - _FILL / 2, top - _LINE, palette(theme).muted))
            png = overlay.overlay_png(pixels, values, part, ends[part])
            images.append(_image(png, column, top, _FILL * height / width))
            for each, more in zip(points, _points(name, values, part, column, top, height / width), strict=True):
                each.extend(more)
        top = _LINE + len(pictures) * row + _LINE / 2
        images.append(_image(scale_png(part, ends[part]), column, top, _BAR))
        beyond = bool(np.abs(maps[:, column]).max() > ends[part])
        for share, (_, text) in zip(_TICKS, ticks(part, ends[part], beyond=beyond), strict=True):
            at = {0: "left", 1: "right"}.get(share, "center")
            notes.append(_note(text, column + _FILL * (share - 0.5), top + _BAR, palette(theme).ink, at))
    fig.add_trace(click_layer(*points))
    fig.update_layout(images=images, annotations=notes)
    fig.update_xaxes(range=[-0.5, len(PARTS) - 0.5], visible=False, constrain="domain", constraintoward="left")
    fig.update_yaxes(range=[total, 0], visible=False, scaleanchor="x", constrain="domain", constraintoward="top")
    fig.update_layout(xaxis_fixedrange=True, yaxis_fixedrange=True)
    return fig


def ticks(part: str, end: float, *, beyond: bool = False) -> list[tuple[float, str]]:
    """Values of a part's scale that have a number, with their texts; ``beyond``: there are values off its ends."""
    low, high = overlay.limits(part, end)
    values = [low + share * (high - low) for share in _TICKS]
    texts = [format_digits(value, 3) if value else "0" for value in values]
    if beyond:
        texts = [f"≤{texts[0]}" if part == SCORE else texts[0], *texts[1:-1], f"≥{texts[-1]}"]
    return list(zip(values, texts, strict=True))


def scale_png(part: str, end: float) -> bytes:
    """The colours of a part's scale on grey, with the lines where maps have them."""
    return overlay.overlay_png(
        np.full((1, 14, 160), 128, np.uint8),
        np.linspace(*overlay.limits(part, end), 160)[None].repeat(14, 0),
        part,
        end,
    )


def _points(
    name: str, values: np.ndarray, part: str, column: int, top: float, tall: float
) -> tuple[Sequence[float], Sequence[float], Sequence[str]]:
    """Where each position stands, and what it says."""
    if values.size > overlay.MOST_POINTS:
        return [], [], []
    rows, columns = (places.ravel() for places in np.indices(values.shape))
    x = column + _FILL * ((columns + 0.5) / values.shape[1] - 0.5)
    y = top + _FILL * tall * (rows + 0.5) / values.shape[0]
    texts = [
        f"<b>{name}, row {r + 1}, column {c + 1}</b><br>{overlay.TITLES[part].lower()}: {format_value(float(value), 2)}"
        for r, c, value in zip(rows, columns, values.ravel(), strict=True)
    ]
    return x.tolist(), y.tolist(), texts


def _image(png: bytes, column: int, top: float, tall: float) -> dict:
    place = {"x": column, "xanchor": "center", "y": top, "yanchor": "top"}
    return layout_image(png, sizex=_FILL, sizey=tall, sizing="stretch", **place)


def _note(text: str, x: float, y: float, colour: str, at: str = "left") -> dict:
    place = {"x": x, "xref": "x", "xanchor": at, "y": y, "yref": "y", "yanchor": "top"}
    return {**place, "text": text, "font": {"size": 12, "color": colour}}
