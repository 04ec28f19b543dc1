"""What each policy's choice loses to the best cell of one OOD set (theory 17)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns, require_known
from cfs_explore.charts.policy_style import POLICIES
from cfs_explore.charts.rows import row_chart, row_dot, row_lines, row_rules, row_texts
from cfs_explore.charts.tap_names import cell_name
from cfs_explore.charts.theme import palette
from cfs_explore.wording import format_estimate, format_value

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
    require_known(rows["policy"], POLICIES, "A policy")
    colours, (low, high), records = palette(theme), _reach(rows), rows.to_dict("records")
    fig = row_chart(theme, len(records), _ROW_PX, {"l": 14, "r": 14, "t": 4, "b": 48})
    known = [(position, row) for position, row in enumerate(records) if math.isfinite(row["regret"])]
    fig.add_traces([_dot(row, position, lam, colours.ink) for position, row in known])
    fig.update_layout(
        shapes=[
            *row_lines(0, len(records), {"color": colours.muted, "width": 1.5, "dash": "dot"}),
            *row_rules(low, high, len(records), colours.grid),
        ],
        annotations=row_texts((_text(row, lam) for row in records), bgcolor=colours.page, borderpad=1),
    )
    fig.update_xaxes(
        range=[low, high], title_text="AUROC lost against the best cell, 95 % interval", nticks=6, fixedrange=True
    )
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
    where = "" if pd.isna(row["tap"]) else f" · {cell_name(row['tap'], row['lam'])}"
    return f"{name} {format_estimate(row['regret'], row['regret_lo'], row['regret_hi'])}{where}"


def _dot(row: Mapping, position: int, lam: str, ink: str) -> go.Scatter:
    style = POLICIES[row["policy"]]
    marker = {"symbol": style.symbol, "size": 11, "color": style.colour, "line": {"color": ink, "width": 1}}
    about = f"{_text(row, lam)}<br>AUROC {format_estimate(row['auroc'], row['lo'], row['hi'])}<br>{style.rule}"
    estimate = row["regret"], row["regret_lo"], row["regret_hi"]
    return row_dot(position, estimate, marker, style.colour, style.label(lam), about)
