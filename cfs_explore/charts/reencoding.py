"""The trained backbone on re-encoded images against itself on the images as they are (theory 18)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.cell_scatter import auroc_axes, cell_scatter, diagonal, region_traces
from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.theme import palette
from cfs_explore.wording import format_estimate, format_value


def reencoding_chart(excess: pd.DataFrame, theme: str = "light") -> go.Figure:
    """Scatter of the cells of one OOD set: AUROC as it is on x, after re-encoding on y, with the line of no change.

    Args:
        excess: columns tap, region, lam, trained, control_auroc (after re-encoding), excess, lo, hi.
    """
    needed = ("tap", "region", "lam", "trained", "control_auroc", "excess", "lo", "hi")
    require_columns(excess, needed, "re-encoding control")
    low = max(-0.02, math.floor(10 * (excess[["trained", "control_auroc"]].min().min() - 0.02)) / 10)
    fig = cell_scatter(theme, 430, 40, hovermode="closest", dragmode="pan")
    unchanged = diagonal(low, "No change", palette(theme).ink)
    fig.add_traces([unchanged, *region_traces(excess, "trained", "control_auroc", _hover, clicks=False)])
    auroc_axes(fig, "AUROC of the original images", "AUROC after re-encoding", [low, 1.02], [low, 1.02])
    return fig


def _hover(row: Mapping) -> str:
    return (
        f"original {format_value(row['trained'])}<br>re-encoded {format_value(row['control_auroc'])}<br>"
        f"loss {format_estimate(row['excess'], row['lo'], row['hi'])}"
    )
