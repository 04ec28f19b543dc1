"""How few channels carry the signal: cumulative share of |c_j|, and AUROC with the top channels alone."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.marks import flat_legend, hovers
from cfs_explore.charts.theme import CATEGORY_COLOURS, new_chart, palette
from cfs_explore.wording import format_estimate, format_value

_HEIGHT_PX = 320
_X_TITLE = "Features, strongest first"


def sparsity_chart(curve: pd.DataFrame, participation: float, theme: str = "light") -> go.Figure:
    """Cumulative share of the summed |c_j| against the number of features, on a doubling scale.

    Args:
        curve: columns features (1..d), share (0..1).
        participation: participation ratio, drawn as a line; NaN draws none.
    """
    require_columns(curve, ("features", "share"), "sparsity of the contributions")
    colours, d = palette(theme), int(curve["features"].max())
    fig = _new(theme)
    even = [k / d for k in curve["features"]]
    for values, name, colour, dash in (
        (curve["share"].tolist(), "Measured", CATEGORY_COLOURS[1], "solid"),
        (even, "If all contributed alike", colours.muted, "dot"),
    ):
        fig.add_trace(
            go.Scatter(
                x=curve["features"].tolist(),
                y=values,
                name=name,
                mode="lines",
                line={"color": colour, "width": 2.5 if dash == "solid" else 1.5, "dash": dash},
                **hovers(
                    (f"{k:,} features: {format_value(v)}" for k, v in zip(curve["features"], values, strict=True)),
                    named=True,
                ),
            )
        )
    if math.isfinite(participation):
        fig.add_vline(x=participation, line={"color": colours.ink, "width": 1.5, "dash": "dash"})
        right = participation < math.sqrt(d)
        fig.add_annotation(
            x=math.log10(participation),
            y=0.03,
            xanchor="left" if right else "right",
            xshift=6 if right else -6,
            yanchor="bottom",
            text=f"participation ratio {format_value(participation, 1)}",
        )
    _axes(fig, d)
    fig.update_yaxes(range=[0, 1.03], title_text="Share of the summed |c|", showgrid=True, fixedrange=True)
    return fig


def top_channels_chart(top: pd.DataFrame, theme: str = "light") -> go.Figure:
    """AUROC of the score of the top k features, with its 95 % interval as a band.

    Args:
        top: columns k, auroc, lo, hi of one cell and OOD set.
    """
    require_columns(top, ("k", "auroc", "lo", "hi"), "AUROC with the top channels")
    colours, top = palette(theme), top.sort_values("k")
    fig = _new(theme)
    colour = CATEGORY_COLOURS[1]
    k = top["k"].tolist()
    fig.add_trace(
        go.Scatter(
            x=[*k, *reversed(k)],
            y=[*top["hi"], *reversed(top["lo"].tolist())],
            fill="toself",
            mode="lines",
            line={"width": 0, "color": colour},
            fillcolor="rgba(86, 180, 233, 0.25)",
            name="95 % interval",
            hoverinfo="skip",
        )
    )
    fig.add_trace(
        go.Scatter(
            x=k,
            y=top["auroc"].tolist(),
            name="AUROC of the top features",
            mode="lines+markers",
            line={"color": colour, "width": 2.5},
            marker={"size": 7},
            **hovers(f"top {r.k}: {format_estimate(r.auroc, r.lo, r.hi)}" for r in top.itertuples()),
        )
    )
    low = min(0.5, float(np.nanmin(top["lo"]))) if top["lo"].notna().any() else 0.0
    _axes(fig, max(k))
    fig.add_hline(y=0.5, line={"color": colours.muted, "width": 1, "dash": "dot"})
    fig.update_yaxes(range=[max(0.0, low - 0.02), 1.01], title_text="AUROC", showgrid=True, fixedrange=True)
    return fig


def _new(theme: str) -> go.Figure:
    return new_chart(
        theme,
        height=_HEIGHT_PX,
        margin={"l": 60, "r": 18, "t": 36, "b": 48},
        hovermode="closest",
        legend=flat_legend(),
    )


def _axes(fig: go.Figure, d: int) -> None:
    """Doubling scale from 1 to d."""
    ticks = [2**i for i in range(d.bit_length()) if 2**i < 0.75 * d] + [d]
    fig.update_xaxes(
        type="log",
        range=[-0.03, math.log10(max(d, 2)) + 0.03],
        tickvals=ticks,
        ticktext=[str(t) for t in ticks],
        title_text=_X_TITLE,
        fixedrange=True,
    )
