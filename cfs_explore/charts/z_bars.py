"""How far each channel of one or two images is from the ID images: z-scores of the two poolings (theory 2, 3)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.marks import hovers
from cfs_explore.charts.pooling_rows import POOLINGS, ROW_AXES, pooling_rows
from cfs_explore.charts.theme import ROLE_COLOURS
from cfs_explore.wording import format_value

_ROW_PX = 110
#: All bars of an image side by side are about this wide.
_WIDTHS_PX = 170.0
#: Of the bars, so that colour does not tell the images apart alone.
_DASHES = {"id": "solid", "ood": "4px,2px"}


def z_bars_chart(z: pd.DataFrame, roles: Mapping[str, str], theme: str = "light") -> go.Figure:
    """A row of bars per pooling on one vertical scale; the images of a channel stand side by side.

    The bars of an image are one line with gaps, which browsers draw many times faster than a shape for each bar.

    Args:
        z: columns image, channel, pooling (mean or std), value, z.
        roles: image -> "id" or "ood", which gives its colour and dashes; in the order in which they are drawn.
    """
    require_columns(z, ("image", "channel", "pooling", "value", "z"), "channels' z-scores")
    reach, channels = (min(-3.0, z["z"].min()), max(3.0, z["z"].max())), int(z["channel"].max()) + 1
    legend = {"orientation": "h", "x": 1, "y": 1, "xanchor": "right", "yanchor": "bottom"}
    margin = {"l": 50, "r": 8, "b": 46}
    fig = pooling_rows(theme, reach, channels, ("Channel", "z"), margin, height=2 * _ROW_PX + 92, legend=legend)
    fig.update_xaxes(nticks=9)
    fig.update_yaxes(showgrid=True)
    groups = dict(list(z.groupby(["image", "pooling"], sort=False, observed=True)))
    offsets = np.linspace(-0.2, 0.2, len(roles)) if len(roles) > 1 else [0.0]
    fig.add_traces(
        [
            _bars(groups[image, pooling], image, pooling, role, offset, channels)
            for pooling in POOLINGS
            for (image, role), offset in zip(roles.items(), offsets, strict=True)
        ]
    )
    return fig


def _bars(part: pd.DataFrame, image: str, pooling: str, role: str, offset: float, channels: int) -> go.Scatter:
    """Each bar as a piece of a line: from zero to z, and a gap."""
    x, z = part["channel"].to_numpy(np.float32) + np.float32(offset), part["z"].to_numpy(np.float32)
    nothing = np.full_like(z, np.nan)
    texts = (
        f"<b>{image}, channel {row.channel}</b><br>{POOLINGS[pooling][0].lower()}: {format_value(row.value)}<br>"
        f"z = {format_value(row.z, 2)}"
        for row in part.itertuples()
    )
    width = float(np.clip(_WIDTHS_PX / channels, 1.0, 5.0))
    return go.Scatter(
        x=np.stack([x, x, nothing], axis=1).ravel(),
        y=np.stack([np.zeros_like(z), z, nothing], axis=1).ravel(),
        name=image,
        legendgroup=image,
        showlegend=pooling == "mean",
        yaxis=ROW_AXES[pooling],
        mode="lines",
        line={"color": ROLE_COLOURS[role], "width": width, "dash": _DASHES[role]},
        **hovers(text for of_bar in texts for text in (of_bar,) * 3),
    )
