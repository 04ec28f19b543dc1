"""Two rows over the channels of a tap on one vertical scale: features pooled by mean, and by standard deviation."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from cfs_explore.charts.theme import CATEGORY_COLOURS, ROLE_COLOURS, new_chart, palette

#: Pooling -> (what its row is called, colour).
POOLINGS = {
    "mean": ("Channel means", CATEGORY_COLOURS[1]),
    "std": ("Channel standard deviations", ROLE_COLOURS["control"]),
}
#: Pooling -> y axis of its row.
ROW_AXES = {"mean": "y", "std": "y2"}
_DOMAINS = {"mean": [0.56, 1], "std": [0, 0.44]}


def pooling_rows(
    theme: str, reach: tuple[float, float], channels: int, titles: tuple[str, str], margin: Mapping[str, int], **layout
) -> go.Figure:
    """An empty chart of both rows; a channel stands at the same place in both.

    Args:
        reach: least and greatest value, which the scale holds.
        channels: their number.
        titles: of the x axis and of both y axes.
        margin: left and right, in pixels.
    """
    pad = 0.06 * (reach[1] - reach[0]) or 1.0
    axis = {
        "range": [reach[0] - pad, reach[1] + pad],
        "title": {"text": titles[1]},
        "zeroline": True,
        "zerolinecolor": palette(theme).muted,
        "fixedrange": True,
        "nticks": 5,
    }
    place = {"x": 0, "xref": "paper", "xanchor": "left", "yref": "paper", "yanchor": "bottom"}
    names = [{**place, "text": f"<b>{name}</b>", "y": _DOMAINS[row][1]} for row, (name, _) in POOLINGS.items()]
    return new_chart(
        theme,
        margin={**margin, "t": 26},
        hovermode="closest",
        annotations=names,
        xaxis={"anchor": "y2", "title": {"text": titles[0]}, "range": [-0.8, channels - 0.2], "fixedrange": True},
        yaxis=axis | {"domain": _DOMAINS["mean"]},
        yaxis2=axis | {"domain": _DOMAINS["std"]},
        **layout,
    )
