"""AUROC while one setting of the lab moves: the curve, and where the setting stands now."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.lab_marks import COMBINATIONS, MARKS, mark_colour
from cfs_explore.charts.marks import flat_legend, hovers, limits
from cfs_explore.charts.theme import CATEGORY_COLOURS, new_chart, palette
from cfs_explore.wording import format_value

#: A stretch narrower than this share of the axis carries no words.
_NARROWEST = 0.16


def tap_curve_chart(curve: pd.DataFrame, setting: str, value: float, label: str, theme: str = "light") -> go.Figure:
    """Bound, prediction and measured AUROC of one simulated tap over a setting.

    Args:
        curve: columns ``setting``, bound (may be NaN), prediction, auroc, lo, hi.
        value: where the setting stands; drawn as a line.
        label: of the setting's axis. A setting called "channels" has a logarithmic axis.
    """
    require_columns(curve, (setting, "bound", "prediction", "auroc", "lo", "hi"), "lab's curve")
    fig = _axes(curve, setting, value, label, theme)
    x = curve[setting].tolist()
    for kind, column, name in (
        ("bound", "bound", "Cantelli bound"),
        ("prediction", "prediction", "Normal prediction"),
        ("measured", "auroc", "Measured"),
    ):
        _, symbol, dash = MARKS[kind]
        colour, y = mark_colour(kind, theme), curve[column]
        fig.add_trace(
            go.Scatter(
                x=x,
                y=y.tolist(),
                name=name,
                mode="markers" if kind == "measured" else "lines",
                line={"color": colour, "width": 2, "dash": dash},
                marker={"symbol": symbol, "size": 6, "color": colour},
                error_y=limits(y, curve["lo"], curve["hi"], colour, 1) if kind == "measured" else None,
                **hovers(map(format_value, y), named=True),
            )
        )
    return fig


def pair_curve_chart(curve: pd.DataFrame, setting: str, value: float, label: str, theme: str = "light") -> go.Figure:
    """AUROC of two simulated taps, alone and combined, over a setting; where averaging hurts is shaded.

    Args:
        curve: columns ``setting`` (rising), auroc_<combination> of each of ``lab_marks.COMBINATIONS``, hurts.
        value, label: as for ``tap_curve_chart``.
    """
    columns = [f"auroc_{name}" for name in COMBINATIONS]
    require_columns(curve, (setting, *columns, "hurts"), "lab's curve")
    fig = _axes(curve, setting, value, label, theme)
    fig.update_yaxes(range=_upper_half(curve[columns]))
    x = curve[setting].tolist()
    for lo, hi in _stretches(x, curve["hurts"].tolist()):
        fig.add_shape(
            type="rect",
            x0=lo,
            x1=hi,
            y0=0,
            y1=1,
            yref="paper",
            line={"width": 0},
            fillcolor=CATEGORY_COLOURS[0],
            opacity=0.14,
            layer="below",
            name="averaging hurts",
        )
        if hi - lo < _NARROWEST * (x[-1] - x[0]):
            continue
        fig.add_annotation(
            x=(lo + hi) / 2,
            y=0.02,
            yref="paper",
            yanchor="bottom",
            text="averaging hurts",
            font={"size": 12, "color": palette(theme).ink},
        )
    for combination, (name, dash) in COMBINATIONS.items():
        y = curve[f"auroc_{combination}"].tolist()
        fig.add_trace(
            go.Scatter(
                x=x,
                y=y,
                name=name,
                mode="lines",
                line={
                    "color": mark_colour(combination, theme),
                    "width": 3 if combination == "average" else 2,
                    "dash": dash,
                },
                **hovers(map(format_value, y), named=True),
            )
        )
    return fig


def _axes(curve: pd.DataFrame, setting: str, value: float, label: str, theme: str) -> go.Figure:
    """An empty figure with the setting's axis, its present value, and chance."""
    colours, x = palette(theme), curve[setting]
    fig = new_chart(
        theme,
        height=340,
        meta={"kind": "wide"},
        margin={"l": 56, "r": 16, "t": 34, "b": 48},
        hovermode="x unified",
        legend=flat_legend(1.02),
    )
    fig.add_vline(x=value, line={"color": colours.muted, "width": 2}, layer="below", name="now")
    fig.add_hline(y=0.5, line={"color": colours.muted, "width": 1, "dash": "dot"}, layer="below")
    fig.update_yaxes(title_text="AUROC", range=[-0.02, 1.02], showgrid=True, tickformat=".2~f", nticks=6)
    if setting == "channels":
        fig.update_xaxes(type="log", tickvals=x.tolist(), ticktext=[f"{d:g}" for d in x])
    fig.update_xaxes(title_text=label, showline=True)
    return fig


def _upper_half(aurocs: pd.DataFrame) -> list[float]:
    """From just below chance up, unless something lies lower."""
    return [min(0.4, float(aurocs.min().min()) - 0.03), 1.01]


def _stretches(x: list[float], marked: list[bool]) -> list[tuple[float, float]]:
    """Ends of the runs of marked points; halfway to the next point that is not marked."""
    middles = [(a + b) / 2 for a, b in pairwise(x)]
    runs: list[tuple[float, float]] = []
    for i, mark in enumerate(marked):
        if mark:
            lo, hi = (middles[i - 1] if i else x[0]), (middles[i] if i < len(middles) else x[-1])
            runs = [*runs[:-1], (runs[-1][0], hi)] if runs and runs[-1][1] == lo else [*runs, (lo, hi)]
    return runs
