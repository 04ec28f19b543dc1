"""The trained backbone on re-encoded images against itself on the images as they are (theory 18)."""

from __future__ import annotations

import math

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.tap_names import short_tap_name
from cfs_explore.charts.theme import REGION_COLOURS, format_estimate, format_value, new_chart, palette

#: Region -> marker symbol.
SYMBOLS = {"input": "diamond", "encoder": "circle", "middle": "square", "decoder": "triangle-up", "output": "x"}


def reencoding_chart(excess: pd.DataFrame, theme: str = "light") -> go.Figure:
    """Scatter of the cells of one OOD set: AUROC as it is on x, after re-encoding on y, with the line of no change.

    Args:
        excess: columns tap, region, lam, trained, control_auroc (after re-encoding), excess, lo, hi.
    """
    needed = ("tap", "region", "lam", "trained", "control_auroc", "excess", "lo", "hi")
    require_columns(excess, needed, "re-encoding control")
    low = max(-0.02, math.floor(10 * (excess[["trained", "control_auroc"]].min().min() - 0.02)) / 10)
    fig = new_chart(
        theme,
        height=430,
        margin={"l": 60, "r": 16, "t": 40, "b": 52},
        hovermode="closest",
        dragmode="pan",
        legend={"orientation": "h", "x": 0, "y": 1.01, "xanchor": "left", "yanchor": "bottom"},
    )
    fig.add_trace(
        go.Scatter(
            x=[max(low, 0.0), 1],
            y=[max(low, 0.0), 1],
            name="No change",
            mode="lines",
            line={"color": palette(theme).ink, "width": 1.5, "dash": "dash"},
            hoverinfo="skip",
        )
    )
    for region, symbol in SYMBOLS.items():
        part = excess[excess["region"] == region]
        if len(part):
            fig.add_trace(
                go.Scatter(
                    x=part["trained"].tolist(),
                    y=part["control_auroc"].tolist(),
                    name=region.capitalize(),
                    mode="markers",
                    marker={"symbol": symbol, "size": 8, "color": REGION_COLOURS[region], "opacity": 0.85},
                    hovertext=[_hover(row) for row in part.itertuples()],
                    hovertemplate="%{hovertext}<extra></extra>",
                )
            )
    axis = {"range": [low, 1.02], "tickformat": ".2~f", "fixedrange": True, "showgrid": True}
    fig.update_xaxes(title_text="AUROC of the original images", **axis)
    fig.update_yaxes(title_text="AUROC after re-encoding", **axis)
    return fig


def _hover(row) -> str:
    return (
        f"<b>{short_tap_name(row.tap)} @ λ {format_value(row.lam, 1)}</b><br>"
        f"original {format_value(row.trained)}<br>re-encoded {format_value(row.control_auroc)}<br>"
        f"loss {format_estimate(row.excess, row.lo, row.hi)}"
    )
