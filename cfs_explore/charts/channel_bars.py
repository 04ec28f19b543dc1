"""What each channel of a cell adds to Delta: one row of bars per pooling (theory 10)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.marks import hovers
from cfs_explore.charts.pooling_rows import POOLINGS, ROW_AXES, pooling_rows
from cfs_explore.wording import format_value

ORDERS = ("channel", "contribution")
_ROW_PX = 150


def channel_bars_chart(channels: pd.DataFrame, order: str = "channel", theme: str = "light") -> go.Figure:
    """Contributions c_j of one cell: the features pooled by mean above, those pooled by standard deviation below.

    Both rows share the vertical scale, and a channel stands at the same place in both.

    Args:
        channels: columns channel, pooling (mean or std), contribution, mean_shift, variance_change.
        order: "channel" for the backbone's order; "contribution" puts the channels with the largest sum first.
    """
    require_columns(
        channels, ("channel", "pooling", "contribution", "mean_shift", "variance_change"), "channels' contributions"
    )
    sums = channels.groupby("channel")["contribution"].sum()
    ranked = sums.index if order == "channel" else sums.sort_values(ascending=False, kind="stable").index
    place = pd.Series(np.arange(len(ranked)), index=ranked)
    reach = min(0.0, channels["contribution"].min()), max(0.0, channels["contribution"].max())
    title = "Channel, in the backbone's order" if order == "channel" else "Channels, largest contribution first"
    margin = {"l": 66, "r": 16, "b": 48}
    fig = pooling_rows(
        theme, reach, len(place), (title, "Adds to Δ"), margin, height=2 * _ROW_PX + 110, bargap=0, showlegend=False
    )
    fig.add_traces([_bars(channels[channels["pooling"] == pooling], place, pooling) for pooling in POOLINGS])
    fig.update_xaxes(nticks=12, showticklabels=order == "channel")
    return fig


def _bars(part: pd.DataFrame, place: pd.Series, pooling: str) -> go.Bar:
    label, colour = POOLINGS[pooling]
    texts = (
        f"<b>channel {row.channel}, {label.lower()}</b><br>adds {format_value(row.contribution, 4)} to Δ<br>"
        f"mean shift {format_value(row.mean_shift, 4)}<br>variance change {format_value(row.variance_change, 4)}"
        for row in part.itertuples()
    )
    return go.Bar(
        x=place.loc[part["channel"]].tolist(),
        y=part["contribution"].tolist(),
        name=label,
        yaxis=ROW_AXES[pooling],
        marker={"color": colour, "line": {"width": 0}},
        **hovers(texts),
    )
