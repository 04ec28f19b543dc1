"""Where single images stand among the ID-test images: their scores as lines on a histogram."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.log_axis import log_ticks
from cfs_explore.charts.marks import hovers
from cfs_explore.charts.noise_lines import faint
from cfs_explore.charts.theme import ROLE_COLOURS, new_chart, palette
from cfs_explore.wording import format_digits

_DASHES = {"id": "solid", "ood": "dash"}


def score_marks_chart(bins: pd.DataFrame, marks: pd.DataFrame, theme: str = "light", *, log: bool = False) -> go.Figure:
    """A grey histogram of ID scores, and a line per image; the line of an OOD image is dashed as well.

    Args:
        bins: columns left, right (touching, rising), id (share of the images).
        marks: columns image, role ("id" or "ood"), score, text (what stands at the line).
        log: the bins are even in ln(score).
    """
    require_columns(bins, ("left", "right", "id"), "histogram of ID scores")
    require_columns(marks, ("image", "role", "score", "text"), "scores of the images")
    bins = bins.sort_values("left")
    edges, heights = [*bins["left"], float(bins["right"].iloc[-1])], bins["id"].tolist()
    top, middle = max(heights), _middle([*edges, *marks["score"]], log)
    axis = {"title": {"text": "Slot score (higher = more OOD)"}, "showline": True, "fixedrange": True}
    if log:
        axis |= {"type": "log", **log_ticks(-3, 4)}
    fig = new_chart(
        theme,
        height=200,
        margin={"l": 50, "r": 12, "t": 12, "b": 46},
        hovermode="closest",
        showlegend=False,
        xaxis=axis,
        yaxis={"title": {"text": "Share"}, "range": [0, 1.45 * top], "nticks": 4, "fixedrange": True},
    )
    y = [0, *heights, heights[-1], 0]
    histogram = go.Scatter(
        x=[edges[0], *edges, edges[-1]],
        y=y,
        name="ID-test images",
        mode="lines",
        line={"shape": "hv", "color": ROLE_COLOURS["control"], "width": 1},
        fill="tozeroy",
        fillcolor=faint(ROLE_COLOURS["control"], 0.3),
        **hovers(f"{format_digits(share)} of the ID images" for share in y),
    )
    lines = [
        _line(mark, top * (1.32 - 0.16 * i), mark.score > middle, theme) for i, mark in enumerate(marks.itertuples())
    ]
    fig.add_traces([histogram, *lines])
    return fig


def _line(mark, height: float, left: bool, theme: str) -> go.Scatter:
    """From the axis to ``height``, where its text stands at the left or right."""
    return go.Scatter(
        x=[mark.score, mark.score],
        y=[0, height],
        name=mark.image,
        mode="lines+text",
        text=["", f"\u00a0<b>{mark.text}</b>\u00a0"],
        textposition="middle left" if left else "middle right",
        textfont={"color": palette(theme).ink},
        line={"color": ROLE_COLOURS[mark.role], "width": 2.5, "dash": _DASHES[mark.role]},
        cliponaxis=False,
        hovertemplate=f"{mark.text}<extra></extra>",
    )


def _middle(values: list[float], log: bool) -> float:
    low, high = min(values), max(values)
    return (low * high) ** 0.5 if log else (low + high) / 2
