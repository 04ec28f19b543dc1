"""The pooled features of one image that lie farthest from ID-train, in a cell whose snapshots were kept."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.marks import hovers
from cfs_explore.charts.pooling_rows import POOLINGS
from cfs_explore.charts.theme import new_chart, palette
from cfs_explore.wording import format_value

_ROW_PX = 20


def image_features_chart(features: pd.DataFrame, top: int = 8, theme: str = "light") -> go.Figure:
    """Signed z-scores of the ``top`` channels of each pooling, the farthest first: means left, standard deviations
    right, on one scale.

    Args:
        features: of ``diagnostics.feature_profile``: channel, pooling (mean or std), value, z, square, share.
        top: channels of each pooling.
    """
    require_columns(features, ("channel", "pooling", "value", "z", "square", "share"), "features of an image")
    ranked = features.sort_values("square", ascending=False, kind="stable")
    parts = {pooling: ranked[ranked["pooling"] == pooling].head(top) for pooling in POOLINGS}
    rows = max(len(part) for part in parts.values())
    height = _ROW_PX * rows + 78
    fig = new_chart(
        theme,
        height=height,
        meta={"kind": "wide"},
        margin={"l": 40, "r": 12, "t": 26, "b": 48},
        bargap=0.25,
        showlegend=False,
        hovermode="closest",
    )
    reach = 1.08 * max(float(part["z"].abs().max()) for part in parts.values()) or 1.0
    for number, (pooling, part) in enumerate(parts.items()):
        label, colour = POOLINGS[pooling]
        axis, domain = ("", [0, 0.44]) if number == 0 else ("2", [0.56, 1])
        fig.add_trace(_bars(part, label, colour, axis))
        fig.update_layout(
            {
                f"xaxis{axis}": {
                    "domain": domain,
                    "range": [-reach, reach],
                    "title": {"text": "z-score"},
                    "zeroline": True,
                    "zerolinecolor": palette(theme).muted,
                    "showgrid": True,
                    "nticks": 5,
                    "fixedrange": True,
                },
                f"yaxis{axis}": {
                    "range": [rows - 0.4, -0.6],
                    "tickvals": list(range(len(part))),
                    "ticktext": [str(channel) for channel in part["channel"]],
                    "fixedrange": True,
                    **({"anchor": "x2"} if number else {"title": {"text": "Channel"}}),
                },
            }
        )
        fig.add_annotation(
            text=f"<b>{label}</b>", x=domain[0], xref="paper", xanchor="left", y=1, yref="paper", yanchor="bottom"
        )
    return fig


def _bars(part: pd.DataFrame, label: str, colour: str, axis: str) -> go.Bar:
    return go.Bar(
        x=part["z"].tolist(),
        y=list(range(len(part))),
        orientation="h",
        name=label,
        xaxis=f"x{axis}",
        yaxis=f"y{axis}",
        marker={"color": colour, "line": {"width": 0}},
        **hovers(
            f"<b>channel {row.channel}, {label.lower()}</b><br>z {format_value(row.z, 2)}, "
            f"{format_value(100 * row.share, 1)} % of the score<br>value {format_value(row.value)}"
            for row in part.itertuples()
        ),
    )
