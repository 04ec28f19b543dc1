"""What charts of dots in rows share, the first row at the top: each row's text stands above its dot and interval."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.marks import limits
from cfs_explore.charts.theme import new_chart

#: Ends of a piece of a line above and below its dot, as shares of a row: under the row's own text, over the next one's.
_ABOVE, _BELOW = 0.17, 0.34
#: A piece is too short for plotly's own dash.
_SHORT_DASH = "4px,3px"


def row_chart(
    theme: str, rows: int, row_px: int, margin: Mapping[str, int], *, spare_px: int = 0, above: float = 0.75, **layout
) -> go.Figure:
    """An empty chart with rows 0, 1, ... of ``row_px``; ``layout`` adds to its layout.

    Args:
        spare_px: height besides rows and margins.
        above: room over the first dot, in rows.
    """
    height = row_px * rows + margin["t"] + margin["b"] + spare_px
    axis = {"range": [rows - 0.6, -above], "visible": False, "fixedrange": True}
    look = {"meta": {"kind": "rows", "height": height}, "hovermode": "closest", "showlegend": False, "yaxis": axis}
    return new_chart(theme, height=height, margin=margin, **look | layout)


def row_texts(texts: Iterable[str], yshift: float = 8, **style: object) -> list[dict]:
    """Annotations: what stands above the dots of rows 0, 1, ..."""
    place = {"x": 0, "xref": "paper", "xanchor": "left", "yanchor": "bottom", "yshift": yshift}
    return [{**place, "y": row, "text": text, **style} for row, text in enumerate(texts)]


def row_dot(
    row: int, estimate: tuple[float, float, float], marker: Mapping, colour: str, name: str, about: str, **more: object
) -> go.Scatter:
    """A row's dot with its interval in ``colour``, which says ``about`` on hover.

    Args:
        estimate: value and limits; NaN limits draw none.
    """
    value, lo, hi = estimate
    return go.Scatter(
        x=[value],
        y=[row],
        error_x=limits([value], [lo], [hi], colour),
        mode="markers",
        name=name,
        marker=marker,
        hovertemplate=f"{about}<extra></extra>",
        **more,
    )


def row_lines(x: float, rows: int, line: Mapping) -> list[dict]:
    """Shapes of a vertical line at ``x`` behind the dots of rows 0, 1, ...: pieces that cross no row's text.

    Args:
        x: on the chart's axis.
        rows: their number.
        line: plotly's colour, width and dash.
    """
    style = {**line, "dash": _SHORT_DASH if line["dash"] == "dash" else line["dash"]}
    piece = {"type": "line", "x0": x, "x1": x, "layer": "below", "line": style}
    return [{**piece, "y0": row - _ABOVE, "y1": row + _BELOW} for row in range(rows)]


def row_rules(low: float, high: float, rows: int, colour: str) -> list[dict]:
    """Shapes of a thin line from ``low`` to ``high`` through the dot of each row."""
    rule = {"type": "line", "layer": "below", "x0": low, "x1": high, "line": {"color": colour, "width": 1}}
    return [{**rule, "y0": row, "y1": row} for row in range(rows)]


def axis_start(rows: pd.DataFrame) -> float:
    """Where an axis of AUROCs begins: a twentieth below all of the columns auroc and lo; 0 where none is known."""
    lowest = float(rows[["auroc", "lo"]].min().min())
    return max(0.0, math.floor((lowest - 0.01) * 20) / 20) if math.isfinite(lowest) else 0.0
