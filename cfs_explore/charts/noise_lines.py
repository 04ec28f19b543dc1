"""What the line figures along the noise axis share: the axis, bands, and how a tap's line looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.map_grid import lam_labels
from cfs_explore.charts.theme import REGION_COLOURS, ROLE_COLOURS, new_chart

NOISE_TITLE = "log-SNR λ (clean → noisy)"
LEGEND_ROW_PX, _HEIGHT = 20, 360
#: Up to this many levels each has its tick.
_MOST_TICKS = 10
#: Role of a highlighted tap -> its dash and symbol; colours say the region alone.
ROLE_STYLES = {
    "chosen": ("solid", "circle"),
    "chosen (CFS encoder)": ("solid", "circle"),
    "chosen (CFS decoder)": ("solid", "circle"),
    "CFS encoder": ("dash", "square"),
    "CFS decoder": ("dot", "diamond"),
}


def noise_axis(lams: Sequence[float]) -> dict:
    """x axis of log-SNRs, falling from left to right, with room at both ends."""
    high, low = max(lams), min(lams)
    room = 0.04 * (high - low) or 0.5
    axis = {"title_text": NOISE_TITLE, "range": [high + room, low - room], "showline": True, "fixedrange": True}
    levels = sorted(set(lams), reverse=True)
    if len(levels) <= _MOST_TICKS:
        axis |= {"tickvals": levels, "ticktext": lam_labels(levels), "ticks": "outside", "tickangle": 0}
    return axis


def is_chosen(role: str) -> bool:
    """Whether a role of ``ROLE_STYLES`` is the chosen tap's."""
    return role.startswith("chosen")


def drawing_order(roles: Mapping[str, str]) -> list[tuple[str, str]]:
    """(tap, role) with the chosen tap last, on top of the others."""
    return sorted(roles.items(), key=lambda item: is_chosen(item[1]))


def faint(colour: str, opacity: float = 0.18) -> str:
    """A '#RRGGBB' colour as a see-through one."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def band(rows: pd.DataFrame, x: str, lo: str, hi: str, colour: str, **options) -> go.Scatter:
    """A filled band between two columns; rows without limits are left out."""
    rows = rows.dropna(subset=[lo, hi])
    return go.Scatter(
        x=[*rows[x], *rows[x][::-1]],
        y=[*rows[hi], *rows[lo][::-1]],
        mode="lines",
        line={"width": 0},
        fill="toself",
        fillcolor=colour,
        hoverinfo="skip",
        **{"showlegend": False} | options,
    )


def line_chart(theme: str, entries: int, **clicks: object) -> go.Figure:
    """An empty wide chart with room for a legend of so many rows above it; ``clicks``: ``CLICKABLE`` or nothing."""
    look = {"hovermode": "closest", "dragmode": "pan"} | clicks
    legend = {"x": 0, "y": 1.0, "xanchor": "left", "yanchor": "bottom", "traceorder": "normal"}
    margin = {"l": 62, "r": 16, "t": 14 + LEGEND_ROW_PX * entries, "b": 48}
    return new_chart(theme, height=_HEIGHT, meta={"kind": "wide"}, legend=legend, margin=margin, **look)


def tap_style(region: str, role: str) -> dict:
    """Line and marker of a highlighted tap."""
    dash, symbol = ROLE_STYLES[role]
    colour = REGION_COLOURS.get(region, ROLE_COLOURS["control"])
    width = 3 if is_chosen(role) else 2
    return {
        "mode": "lines+markers",
        "line": {"color": colour, "width": width, "dash": dash},
        "marker": {"symbol": symbol, "size": 8, "color": colour},
    }


def level_line(y: float, label: str, colour: str) -> dict:
    """Layout of a dotted horizontal line with its value at the left.

    Marks go into the layout at once: added one by one, plotly checks all of them each time.
    """
    return {
        "shapes": [
            {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y}
            | {"line": {"color": colour, "width": 1, "dash": "dot"}}
        ],
        "annotations": [
            {"x": 0, "xref": "paper", "xanchor": "left", "y": y, "yanchor": "top", "text": label}
            | {"font": {"size": 11, "color": colour}}
        ],
    }
