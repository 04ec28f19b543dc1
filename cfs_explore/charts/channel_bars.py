"""What each channel of a cell adds to Delta: one row of bars per pooling (theory 10)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.marks import hovers
from cfs_explore.charts.theme import CATEGORY_COLOURS, ROLE_COLOURS, new_chart, palette
from cfs_explore.wording import format_value

#: Pooling -> (what the row is called, colour).
POOLINGS = {
    "mean": ("Channel means", CATEGORY_COLOURS[1]),
    "std": ("Channel standard deviations", ROLE_COLOURS["control"]),
}
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
    colours = palette(theme)
    fig = new_chart(
        theme,
        height=2 * _ROW_PX + 110,
        margin={"l": 66, "r": 16, "t": 26, "b": 48},
        bargap=0,
        showlegend=False,
        hovermode="closest",
    )
    reach = [min(0.0, channels["contribution"].min()), max(0.0, channels["contribution"].max())]
    pad = 0.06 * (reach[1] - reach[0]) or 1.0
    for number, (pooling, (label, colour)) in enumerate(POOLINGS.items()):
        part = channels[channels["pooling"] == pooling]
        axis, domain = ("", [0.56, 1]) if number == 0 else ("2", [0, 0.44])
        fig.add_trace(_bars(part, place, label, colour, axis))
        fig.update_layout(
            {
                f"yaxis{axis}": {
                    "domain": domain,
                    "range": [reach[0] - pad, reach[1] + pad],
                    "title": {"text": "Adds to Δ"},
                    "zeroline": True,
                    "zerolinecolor": colours.muted,
                    "fixedrange": True,
                    "nticks": 5,
                }
            }
        )
        fig.add_annotation(
            text=f"<b>{label}</b>", x=0, xref="paper", xanchor="left", y=domain[1], yref="paper", yanchor="bottom"
        )
    title = "Channel, in the backbone's order" if order == "channel" else "Channels, largest contribution first"
    fig.update_layout(xaxis={"anchor": "y2", "title": {"text": title}, "fixedrange": True})
    fig.update_xaxes(range=[-0.8, len(place) - 0.2], nticks=12, showticklabels=order == "channel")
    return fig


def _bars(part: pd.DataFrame, place: pd.Series, label: str, colour: str, axis: str) -> go.Bar:
    texts = (
        f"<b>channel {row.channel}, {label.lower()}</b><br>adds {format_value(row.contribution, 4)} to Δ<br>"
        f"mean shift {format_value(row.mean_shift, 4)}<br>variance change {format_value(row.variance_change, 4)}"
        for row in part.itertuples()
    )
    return go.Bar(
        x=place.loc[part["channel"]].tolist(),
        y=part["contribution"].tolist(),
        name=label,
        yaxis=f"y{axis}",
        marker={"color": colour, "line": {"width": 0}},
        **hovers(texts),
    )
