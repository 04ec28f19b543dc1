"""Score distributions of ID and OOD images."""

from __future__ import annotations

import math

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.log_axis import log_ticks
from cfs_explore.charts.marks import flat_legend, hovers, labelled_line
from cfs_explore.charts.noise_lines import faint
from cfs_explore.charts.theme import ROLE_COLOURS, new_chart, palette
from cfs_explore.wording import format_digits, format_value

_LOG_AXIS = {"type": "log", **log_ticks(-6, 6)}
#: Share of the axis behind which a threshold's text stands at its left; height over the bars, for that text.
_RIGHT, _HEADROOM = 0.7, 1.2
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
    fig = new_chart(
        theme,
        height=300,
        meta={"kind": "wide"},
        margin={"l": 56, "r": 12, "t": 30, "b": 48},
        hovermode="x unified",
        legend=flat_legend(1.02),
        xaxis={"title": {"text": score_label}, "showline": True} | (_LOG_AXIS if log else {}),
        yaxis={"title": {"text": value_label}, "rangemode": "tozero", "showgrid": True, "nticks": 5},
    )
    edges = bins["left"].tolist()
    x = [edges[0], *edges, float(bins["right"].iloc[-1]), float(bins["right"].iloc[-1])]
    traces = []
    for column, name, dash in _CLASSES:
        heights = bins[column].tolist()
        y = [0, *heights, heights[-1], 0]
        traces.append(
            go.Scatter(
                x=x,
                y=y,
                name=name,
                mode="lines",
                line={"shape": "hv", "color": ROLE_COLOURS[column], "width": 2, "dash": dash},
                fill="tozeroy",
                fillcolor=faint(ROLE_COLOURS[column]),
                **hovers(map(format_digits, y), named=True),
            )
        )
    fig.add_traces(traces)
    if threshold is not None:
        text = f"{threshold_label}<br>at {format_value(threshold, 2)}"
        labelled_line(fig, threshold, text, palette(theme), log=log, left=_share(threshold, edges, log) > _RIGHT)
        fig.update_yaxes(range=[0, _HEADROOM * float(bins[["id", "ood"]].max().max())])
    return fig


def _share(x: float, edges: list[float], log: bool) -> float:
    """How far across the axis ``x`` stands, 0 to 1."""
    at, low, high = (math.log(value) if log else value for value in (x, edges[0], edges[-1]))
    return (at - low) / (high - low)
