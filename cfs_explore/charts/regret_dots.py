"""What each policy's choice loses to the best cell of one OOD set (theory 17)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import FigureDataError, require_columns
from cfs_explore.charts.policy_style import POLICIES
from cfs_explore.charts.row_lines import row_lines
from cfs_explore.charts.tap_names import short_tap_name
from cfs_explore.charts.theme import format_estimate, format_value, new_chart, palette

_ROW_PX = 44
_COLUMNS = ("policy", "tap", "lam", "auroc", "lo", "hi", "regret", "regret_lo", "regret_hi", "note")


def regret_dots_chart(rows: pd.DataFrame, lam: str, theme: str = "light") -> go.Figure:
    """One row per policy, in the table's order from the top: its name and loss above its dot and interval.

    Args:
        rows: of one OOD set: policy (a key of ``POLICIES``), tap and lam of its cell (missing for a mean), auroc, lo,
            hi, regret, regret_lo, regret_hi, note (why there is no number).
        lam: log-SNR of the published detectors, as text.
    """
    require_columns(rows, _COLUMNS, "regret of policies")
    unknown = set(rows["policy"]) - set(POLICIES)
    if unknown:
        raise FigureDataError(f"A policy must be one of {list(POLICIES)}. Got {sorted(unknown)}.")
    colours, height = palette(theme), _ROW_PX * len(rows) + 52
    low, high = _reach(rows)
    fig = new_chart(
        theme,
        height=height,
        meta={"kind": "rows", "height": height},
        margin={"l": 14, "r": 14, "t": 4, "b": 48},
        hovermode="closest",
        showlegend=False,
    )
    line = {"type": "line", "layer": "below", "x0": low, "x1": high, "line": {"color": colours.grid, "width": 1}}
    place = {"x": 0, "xref": "paper", "xanchor": "left", "yanchor": "bottom", "yshift": 8}
    records = list(enumerate(rows.to_dict("records")))
    fig.add_traces([_dot(row, position, lam, colours.ink) for position, row in records if math.isfinite(row["regret"])])
    fig.update_layout(
        shapes=[
            *row_lines(0, len(rows), {"color": colours.muted, "width": 1.5, "dash": "dot"}),
            *({**line, "y0": position, "y1": position} for position, _ in records),
        ],
        annotations=[
            {**place, "y": position, "text": _text(row, lam), "bgcolor": colours.page, "borderpad": 1}
            for position, row in records
        ],
    )
    fig.update_xaxes(
        range=[low, high], title_text="AUROC lost against the best cell, 95 % interval", nticks=6, fixedrange=True
    )
    fig.update_yaxes(range=[len(rows) - 0.6, -0.75], visible=False, fixedrange=True)
    return fig


def _reach(rows: pd.DataFrame) -> tuple[float, float]:
    """Ends of the axis: every interval, and 0."""
    low, high = (rows[["regret", name]] for name in ("regret_lo", "regret_hi"))
    low, high = float(low.min().min()), float(high.max().max())
    low, high = min(0.0, low) if math.isfinite(low) else 0.0, max(0.02, high) if math.isfinite(high) else 0.1
    return low - 0.03 * (high - low), high + 0.03 * (high - low)


def _text(row: Mapping, lam: str) -> str:
    name = f"<b>{POLICIES[row['policy']].label(lam)}</b>"
    if not math.isfinite(row["regret"]):
        return f"{name} {row['note'] or format_value(math.nan)}"
    where = "" if pd.isna(row["tap"]) else f" · {short_tap_name(row['tap'])} @ λ {format_value(row['lam'], 1)}"
    return f"{name} {format_estimate(row['regret'], row['regret_lo'], row['regret_hi'])}{where}"


def _dot(row: Mapping, position: int, lam: str, ink: str) -> go.Scatter:
    style = POLICIES[row["policy"]]
    bars = {"type": "data", "symmetric": False, "color": style.colour, "thickness": 2, "width": 0}
    if math.isfinite(row["regret_lo"]):
        bars |= {"array": [row["regret_hi"] - row["regret"]], "arrayminus": [row["regret"] - row["regret_lo"]]}
    return go.Scatter(
        x=[row["regret"]],
        y=[position],
        error_x=bars,
        mode="markers",
        name=style.label(lam),
        marker={"symbol": style.symbol, "size": 11, "color": style.colour, "line": {"color": ink, "width": 1}},
        hovertemplate=f"{_text(row, lam)}<br>AUROC {format_estimate(row['auroc'], row['lo'], row['hi'])}"
        f"<br>{style.rule}<extra></extra>",
    )
