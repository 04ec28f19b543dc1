"""A picture with a score map over it, and the channels behind one of its positions (theory 22, 23)."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from PIL import Image

from cfs_explore.charts import where_overlay as overlay
from cfs_explore.charts.level_pictures import enlarged
from cfs_explore.charts.map_heatmap import bar_margin, colour_bar
from cfs_explore.charts.marks import CLICKABLE, click_layer, flat_legend, hovers, layout_image
from cfs_explore.charts.pooling_rows import POOLINGS
from cfs_explore.charts.theme import ROLE_COLOURS, new_chart, palette
from cfs_explore.contracts import DEVIATION, PARTS, SCORE
from cfs_explore.wording import format_digits, format_value

_HEIGHT_PX, _BAR_ROW_PX = 312, 22
_TICKS = {SCORE: (0, 0.25, 0.5, 0.75, 1), DEVIATION: (0, 0.5, 1)}


def where_map_chart(
    pixels: np.ndarray, maps: np.ndarray, part: str = "score", strength: float = 0.8, theme: str = "light"
) -> go.Figure:
    """A click reports the position, row by row, as ``customdata``.

    Args:
        pixels: the picture, uint8 (C, H, W); its pixels stay squares.
        maps: A_p and B_p, (2, h, w), shown bilinear.
        part: which of them, "score" or "deviation".
        strength: opacity at the colours' end, 0 to 1.
    """
    values = maps[PARTS.index(part)]
    height, width = values.shape
    end = overlay.reach([values], part)
    low, high = overlay.limits(part, end)
    ticks = [low + share * (high - low) for share in _TICKS[part]]
    labels = [format_digits(tick, 3) if tick else "0" for tick in ticks]
    bar = colour_bar(overlay.TITLES[part], ticks, labels)
    fig = new_chart(
        theme,
        height=_HEIGHT_PX,
        meta={"kind": "map", "span": width, "rows": width * pixels.shape[1] / pixels.shape[2]},
        coloraxis={
            "cmin": low,
            "cmax": high,
            "colorscale": [[share, overlay.css(colour)] for share, colour in overlay.scale(part, strength)],
            "colorbar": bar,
        },
        images=[_picture(pixels, width, height)],
        margin={"l": 4, "r": bar_margin(labels), "t": 10, "b": 10},
        showlegend=False,
        hoverdistance=60,
        **CLICKABLE,
    )
    fig.add_trace(go.Heatmap(z=values.tolist(), zsmooth="best", coloraxis="coloraxis", hoverinfo="skip", name="map"))
    fig.add_traces(_lines(values, part, end))
    if values.size <= overlay.MOST_POINTS:
        fig.add_trace(_positions(maps))
    tall = pixels.shape[1] / height * width / pixels.shape[2]  # of a position, in its widths
    axis = {"visible": False, "fixedrange": True, "constrain": "domain"}
    fig.update_xaxes(range=[-0.5, width - 0.5], **axis)
    fig.update_yaxes(range=[height - 0.5, -0.5], scaleanchor="x", scaleratio=tall, **axis)
    return fig


def _picture(pixels: np.ndarray, width: int, height: int) -> dict:
    buffer = io.BytesIO()
    Image.fromarray(overlay.rgb(pixels)).save(buffer, "PNG")
    return layout_image(enlarged(buffer.getvalue()), x=-0.5, y=-0.5, sizex=width, sizey=height, sizing="stretch")


def _lines(values: np.ndarray, part: str, end: float) -> list[go.Contour]:
    """Solid around what is OOD-like, dotted around what is ID-like, each on a light seam; up to the picture's edge."""
    solid, dotted = overlay.line_values(part, end)
    padded = np.pad(values, 1, mode="edge").tolist()
    x, y = ([-0.5, *range(length), length - 0.5] for length in reversed(values.shape))
    found = []
    for name, at, dash in (("OOD-like", solid, "solid"), ("ID-like", dotted, "dot")):
        for colour, line_px in ((overlay.SEAM, 3.5), (overlay.INK, 1.5)):
            found.append(
                go.Contour(
                    x=x,
                    y=y,
                    z=padded,
                    name=name,
                    contours={"type": "levels", "start": at, "end": at, "size": 1, "coloring": "none"},
                    line={"color": colour, "width": line_px, "dash": dash, "smoothing": 0.5},
                    autocontour=False,
                    showscale=False,
                    hoverinfo="skip",
                )
            )
    return found


def _positions(maps: np.ndarray) -> go.Scatter:
    """What answers mouse and click, a point for each position of A_p and B_p, (2, h, w)."""
    rows, columns = (places.ravel().tolist() for places in np.indices(maps.shape[1:]))
    texts = [_hover(row, column, maps[:, row, column]) for row, column in zip(rows, columns, strict=True)]
    return click_layer(columns, rows, texts, customdata=list(range(len(rows))), showlegend=False)


def _hover(row: int, column: int, both: np.ndarray) -> str:
    score, deviation = both
    return (
        f"<b>row {row + 1}, column {column + 1}</b><br>adds {format_value(float(score), 2)} to the score<br>"
        f"deviation {format_value(float(deviation), 2)}"
    )


def position_channels_chart(rows: pd.DataFrame, part: str = "score", theme: str = "light") -> go.Figure:
    """Channels from top to bottom, and what each adds at one position; to the score by its mean and its deviation.

    Args:
        rows: channel, mean, std, score (their sum), deviation; in the order in which they are shown.
        part: "score" draws mean and std, "deviation" that.
    """
    shown = {"mean": POOLINGS["mean"], "std": POOLINGS["std"]}
    if part == DEVIATION:
        shown = {"deviation": (overlay.TITLES[part], ROLE_COLOURS["control"])}
    fig = new_chart(
        theme,
        height=_BAR_ROW_PX * len(rows) + 96,
        meta={"kind": "wide"},
        margin={"l": 48, "r": 12, "t": 40, "b": 48},
        barmode="relative",
        bargap=0.25,
        hovermode="closest",
        legend=flat_legend(),
        showlegend=len(shown) > 1,
    )
    for name, (label, colour) in shown.items():
        values = zip(rows["channel"], rows[name], strict=True)
        texts = (f"<b>channel {channel}</b><br>{label.lower()}: {format_value(value)}" for channel, value in values)
        pattern = (
            {"shape": "/", "fgcolor": palette(theme).ink, "size": 5, "fillmode": "overlay", "solidity": 0.2}
            if name == "std"
            else {}
        )
        fig.add_trace(
            go.Bar(
                x=rows[name].tolist(),
                y=list(range(len(rows))),
                orientation="h",
                name=label,
                marker={"color": colour, "line": {"width": 0}, "pattern": pattern},
                **hovers(texts),
            )
        )
    axis = {"zeroline": True, "zerolinecolor": palette(theme).muted, "showgrid": True, "nticks": 6, "fixedrange": True}
    fig.update_xaxes(title_text="Adds at this position", **axis)
    fig.update_yaxes(
        range=[len(rows) - 0.4, -0.6],
        tickvals=list(range(len(rows))),
        ticktext=[str(channel) for channel in rows["channel"]],
        title_text="Channel",
        fixedrange=True,
    )
    return fig
