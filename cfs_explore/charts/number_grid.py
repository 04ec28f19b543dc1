"""A table of numbers whose cells are coloured by their value: readable as a table, scanned as a map."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from cfs_explore.charts.marks import CLICKABLE, click_layer
from cfs_explore.charts.theme import BASE_FONT_PX, new_chart, palette, text_px

#: Text on dark and on light cells; the cells look the same in both themes.
_ON_DARK, _ON_LIGHT = "#FFFFFF", "#000000"
SMALL_PX = BASE_FONT_PX * 11.5 / 13
HEAD_PX, _GAP = 42, 2
#: Name of the annotations that stand on cells.
CELL_TEXT = "cell text"


def number_grid_chart(
    values: Sequence[Sequence[float]],
    texts: Sequence[Sequence[str]],
    hovers: Sequence[Sequence[str]],
    labels: tuple[Sequence[str], Sequence[str]],
    scale: tuple[list[list], float, float],
    theme: str = "light",
    *,
    row_px: int = 38,
    selected: int | None = None,
) -> go.Figure:
    """Coloured table; a click on a cell reports its row's position as ``customdata``.

    Args:
        values: rows of numbers, which colour the cells; NaN leaves one blank.
        texts, hovers: what each cell says, and says on hover.
        labels: of the rows and of the columns, which may have two lines.
        scale: colour scale, and the values at its ends.
        row_px: height of a row.
        selected: position of a row to frame.
    """
    row_labels, column_labels = labels
    colour_scale, low, high = scale
    colours, rows, columns = palette(theme), len(row_labels), len(column_labels)
    height = HEAD_PX + rows * row_px + 8
    fig = new_chart(
        theme,
        height=height,
        meta={"kind": "rows", "height": height, "least_px": _least_px(row_labels, column_labels, texts)},
        margin={"l": _label_room(row_labels), "r": 4, "t": HEAD_PX, "b": 8},
        coloraxis={"colorscale": colour_scale, "cmin": low, "cmax": high, "showscale": False},
        hoverdistance=-1,
        showlegend=False,
        **CLICKABLE,
    )
    fig.add_trace(
        go.Heatmap(
            x=[column - 0.5 for column in range(columns + 1)],
            y=[row - 0.5 for row in range(rows + 1)],
            z=[[value if math.isfinite(value) else None for value in row] for row in values],
            coloraxis="coloraxis",
            hoverinfo="skip",
            xgap=_GAP,
            ygap=_GAP,
        )
    )
    fig.add_trace(_click_layer(hovers, columns))
    fig.update_layout(annotations=_cell_texts(values, texts, scale, colours.muted) + _heads(column_labels))
    if selected is not None:
        line = {"color": colours.ink, "width": 2}
        fig.add_shape(type="rect", x0=-0.5, x1=columns - 0.5, y0=selected - 0.5, y1=selected + 0.5, line=line)
    fig.update_xaxes(range=[-0.5, columns - 0.5], visible=False, fixedrange=True)
    ticks = {"tickvals": list(range(rows)), "ticktext": list(row_labels)}
    fig.update_yaxes(range=[rows - 0.5, -0.5], fixedrange=True, **ticks)
    return fig


def _label_room(labels: Sequence[str]) -> int:
    """Pixels for the widest label, its markup aside."""
    lines = (line for label in labels for line in label.split("<br>"))
    return round(max(text_px(re.sub("<.*?>", "", line), BASE_FONT_PX) for line in lines)) + 12


def _least_px(rows: Sequence[str], columns: Sequence[str], texts: Sequence[Sequence[str]]) -> int:
    """The width in pixels below which texts of neighbouring cells would run into each other."""
    lines = (line for text in [*columns, *(text for row in texts for text in row)] for line in text.split("<br>"))
    widest = max(text_px(re.sub("<.*?>", "", line), SMALL_PX) for line in lines)
    return _label_room(rows) + 4 + len(columns) * round(widest + 6)


def _click_layer(hovers: Sequence[Sequence[str]], columns: int) -> go.Scatter:
    cells = [(row, column) for row in range(len(hovers)) for column in range(columns)]
    x, y = [column for _, column in cells], [row for row, _ in cells]
    return click_layer(x, y, (hovers[row][column] for row, column in cells), customdata=y)


def _cell_texts(
    values: Sequence[Sequence[float]],
    texts: Sequence[Sequence[str]],
    scale: tuple[list[list], float, float],
    muted: str,
) -> list[dict]:
    return [
        {
            "x": column,
            "y": row,
            "text": texts[row][column],
            "name": CELL_TEXT,
            "font": {"size": SMALL_PX, "color": text_colour(value, scale, muted)},
        }
        for row, of_row in enumerate(values)
        for column, value in enumerate(of_row)
    ]


def _heads(column_labels: Sequence[str]) -> list[dict]:
    place = {"y": 1, "yref": "paper", "yanchor": "bottom", "yshift": 4, "font": {"size": SMALL_PX}}
    return [{"x": column, "text": f"<b>{label}</b>", **place} for column, label in enumerate(column_labels)]


def text_colour(value: float, scale: tuple[list[list], float, float], muted: str) -> str:
    """Dark or light, whichever stands out more on a cell of this value; ``muted`` where it is blank."""
    if not math.isfinite(value):
        return muted
    colour_scale, low, high = scale
    share = min(1.0, max(0.0, (value - low) / (high - low)))
    red, green, blue = sample_colorscale(colour_scale, [share], colortype="tuple")[0]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return _ON_DARK if luminance < 0.179 else _ON_LIGHT  # where both have the same contrast
