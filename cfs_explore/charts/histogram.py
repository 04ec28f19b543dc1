"""Score distributions of ID and OOD images."""

from __future__ import annotations

import math

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.theme import ROLE_COLOURS, format_value, new_chart, palette

_LOG_TICKS = [m * 10.0**e for e in range(-6, 7) for m in (1, 2, 5)]
_LOG_AXIS = {"type": "log", "tickvals": _LOG_TICKS, "ticktext": [f"{tick:g}" for tick in _LOG_TICKS]}
_CLASSES = (("id", "ID", "solid"), ("ood", "OOD", "dash"))


def score_histogram_chart(
    bins: pd.DataFrame,
    theme: str = "light",
    score_label: str = "Score (higher = more OOD)",
    value_label: str = "Share of images",
    threshold: float | None = None,
    threshold_label: str = "95 % OOD recall",
    log: bool = False,
) -> go.Figure:
    """Two step histograms on shared bins; OOD is dashed as well as vermillion.

    Args:
        bins: columns left, right (bin edges, rising and touching), id, ood (share of the class's images,
            density or count, as ``value_label`` says).
        threshold: a score, drawn as a line.
        threshold_label: what the line says above its value.
        log: whether the scores stand on a logarithmic axis (bins that are even in ln(score)).
    """
    require_columns(bins, ("left", "right", "id", "ood"), "score histogram")
    bins = bins.sort_values("left")
    colours = palette(theme)
    fig = new_chart(
        theme,
        height=300,
        meta={"kind": "wide"},
        margin={"l": 56, "r": 12, "t": 30, "b": 48},
        hovermode="x unified",
        legend={"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"},
        xaxis={"title": {"text": score_label}, "showline": True} | (_LOG_AXIS if log else {}),
        yaxis={"title": {"text": value_label}, "rangemode": "tozero", "showgrid": True, "nticks": 5},
    )
    edges = bins["left"].tolist()
    x = [edges[0], *edges, float(bins["right"].iloc[-1]), float(bins["right"].iloc[-1])]
    traces = []
    for column, name, dash in _CLASSES:
        heights = bins[column].tolist()
        traces.append(
            go.Scatter(
                x=x,
                y=[0, *heights, heights[-1], 0],
                name=name,
                mode="lines",
                line={"shape": "hv", "color": ROLE_COLOURS[column], "width": 2, "dash": dash},
                fill="tozeroy",
                fillcolor=_faint(ROLE_COLOURS[column]),
                hovertemplate="%{y:.3g}",
            )
        )
    fig.add_traces(traces)
    if threshold is not None:
        fig.add_vline(x=threshold, line={"color": colours.muted, "width": 1, "dash": "dot"})
        fig.add_annotation(
            x=math.log10(threshold) if log else threshold,  # unlike a line, which takes the value itself
            y=1,
            yref="paper",
            yanchor="top",
            xanchor="left",
            xshift=4,
            text=f"{threshold_label}<br>at {format_value(threshold, 2)}",
            align="left",
            font={"size": 11, "color": colours.muted},
        )
    return fig


def _faint(colour: str, opacity: float = 0.18) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
