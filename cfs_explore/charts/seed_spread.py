"""Untrained copies of several seeds beside the trained backbone, tap by tap at one noise level (theory 18)."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.map_heatmap import X_TITLE
from cfs_explore.charts.marks import flat_legend, hovers, limits
from cfs_explore.charts.tap_names import tap_ticks, taps_px, tick_label
from cfs_explore.charts.theme import BASE_FONT_PX, ROLE_COLOURS, new_chart, palette, text_px
from cfs_explore.wording import format_estimate

#: One symbol per seed, again from the start when there are more.
SEED_SYMBOLS = ("x", "triangle-up", "diamond", "cross", "star")
TRAINED_COLOUR = "#56B4E9"


def seed_spread_chart(trained: pd.DataFrame, copies: pd.DataFrame, theme: str = "light") -> go.Figure:
    """AUROC over taps: the trained backbone with its interval as a line, every untrained copy as grey marks.

    Args:
        trained: one level of a map: tap, tap_index, auroc, lo, hi.
        copies: the same level of the copies: seed, tap, tap_index, auroc, lo, hi.
    """
    require_columns(trained, ("tap", "tap_index", "auroc", "lo", "hi"), "trained backbone's taps")
    require_columns(copies, ("seed", "tap", "tap_index", "auroc", "lo", "hi"), "spread over seeds")
    trained = trained.sort_values("tap_index")
    ticks = [tick_label(tap) for tap in trained["tap"]]
    bottom = 0.75 * max(text_px(label, BASE_FONT_PX) for label in ticks) + 34
    margin, places = {"l": 60, "r": 16, "t": 40, "b": round(bottom)}, trained["tap_index"].tolist()
    fig = new_chart(
        theme,
        height=round(300 + bottom),
        margin=margin,
        meta={"least_px": taps_px(places, margin)},
        hovermode="closest",
        dragmode="pan",
        legend=flat_legend(),
    )
    fig.add_hline(y=0.5, line={"color": palette(theme).muted, "width": 1, "dash": "dot"})
    for position, (seed, part) in enumerate(copies.groupby("seed")):
        fig.add_trace(_copy(part, f"Untrained, seed {seed}", SEED_SYMBOLS[position % len(SEED_SYMBOLS)]))
    fig.add_trace(_trained(trained))
    fig.update_xaxes(**tap_ticks(ticks, places), title_text=X_TITLE, fixedrange=True)
    fig.update_yaxes(title_text="AUROC", tickformat=".2~f", showgrid=True, fixedrange=True)
    return fig


def _hovers(part: pd.DataFrame, name: str) -> dict:
    rows = part.itertuples()
    return hovers(f"<b>{name}</b><br>{row.tap}<br>{format_estimate(row.auroc, row.lo, row.hi)}" for row in rows)


def _copy(part: pd.DataFrame, name: str, symbol: str) -> go.Scatter:
    return go.Scatter(
        x=part["tap_index"].tolist(),
        y=part["auroc"].tolist(),
        name=name,
        mode="markers",
        marker={"symbol": symbol, "size": 8, "color": ROLE_COLOURS["control"]},
        **_hovers(part, name),
    )


def _trained(part: pd.DataFrame) -> go.Scatter:
    return go.Scatter(
        x=part["tap_index"].tolist(),
        y=part["auroc"].tolist(),
        error_y=limits(part["auroc"], part["lo"], part["hi"], TRAINED_COLOUR, 1.5),
        name="Trained",
        mode="lines+markers",
        line={"color": TRAINED_COLOUR, "width": 2},
        marker={"symbol": "square", "size": 7},
        **_hovers(part, "Trained"),
    )
