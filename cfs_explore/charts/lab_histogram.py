"""Score distributions with their means, and the distance between them: Delta as a length."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.histogram import score_histogram_chart
from cfs_explore.charts.theme import ROLE_COLOURS, palette
from cfs_explore.wording import format_value

#: Means closer than this share of the axis carry no arrow: its head would be longer than it.
_SHORTEST_ARROW = 0.03


def delta_histogram_chart(bins: pd.DataFrame, mean_id: float, mean_ood: float, theme: str = "light") -> go.Figure:
    """The two histograms of ``score_histogram_chart``; lines at both means, an arrow of length Delta between them.

    Args:
        bins: as for ``score_histogram_chart``.
        mean_id, mean_ood: of the scores.
    """
    fig = score_histogram_chart(bins, theme, score_label="Score s (higher = more OOD)")
    ink = palette(theme).ink
    for x, role, dash in ((mean_id, "id", "solid"), (mean_ood, "ood", "dash")):
        line = {"color": ROLE_COLOURS[role], "width": 2, "dash": dash}
        fig.add_shape(type="line", x0=x, x1=x, y0=0, y1=1, yref="paper", line=line, name=f"mean {role}")
    height = 0.93
    width = float(bins["right"].max() - bins["left"].min())
    if abs(mean_ood - mean_id) >= _SHORTEST_ARROW * width:
        fig.add_annotation(
            x=mean_ood,
            ax=mean_id,
            xref="x",
            axref="x",
            y=height,
            ay=height,
            yref="paper",
            ayref="y domain",
            showarrow=True,
            arrowhead=2,
            arrowwidth=1.5,
            arrowcolor=ink,
            text="",
        )
    fig.add_annotation(
        x=max(mean_id, mean_ood),
        y=height,
        yref="paper",
        xanchor="left",
        xshift=6,
        text=f"Δ = {format_value(mean_ood - mean_id)}",
        font={"size": 12, "color": ink},
    )
    return fig
