"""The heads on one cell: AUROC of each, and what it gains over the diagonal one."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.row_lines import row_lines
from cfs_explore.charts.theme import format_estimate, format_value, new_chart, palette

_ROW_PX = 46


def head_dots_chart(heads: pd.DataFrame, theme: str = "light") -> go.Figure:
    """One row per head, in the table's order from the top; the diagonal head's AUROC continues as a line.

    Args:
        heads: columns head, title (what people call it), auroc, lo, hi, difference, difference_lo, difference_hi (from
            the diagonal head, paired), note (why a head could not be fitted, or nothing).
    """
    needed = ("head", "title", "auroc", "lo", "hi", "difference", "difference_lo", "difference_hi", "note")
    require_columns(heads, needed, "heads of a cell")
    colours, height = palette(theme), _ROW_PX * len(heads) + 46
    values = heads[["auroc", "lo"]].min().min()
    low = max(0.0, math.floor((values - 0.01) * 20) / 20) if math.isfinite(values) else 0.0
    fig = new_chart(
        theme,
        height=height,
        meta={"kind": "rows", "height": height},
        margin={"l": 18, "r": 20, "t": 6, "b": 40},
        hovermode="closest",
        showlegend=False,
    )
    reference = heads.loc[heads["head"] == "diag", "auroc"]
    if len(reference) and math.isfinite(reference.iloc[0]):
        line = {"color": colours.muted, "width": 1.5, "dash": "dash"}
        fig.update_layout(shapes=row_lines(float(reference.iloc[0]), len(heads), line))
    for row, head in enumerate(heads.to_dict("records")):
        text = _text(head)
        place = {"x": 0, "xref": "paper", "xanchor": "left", "yanchor": "bottom", "yshift": 8}
        fig.add_annotation(y=row, text=text, bgcolor=colours.page, borderpad=1, **place)
        if math.isfinite(head["auroc"]):
            fig.add_trace(_dot(head, row, text, colours.ink, colours.muted))
    fig.update_xaxes(
        range=[low, 1.005], title_text="AUROC, 95 % interval", tickformat=".2~f", nticks=6, fixedrange=True
    )
    fig.update_yaxes(range=[len(heads) - 0.6, -0.75], visible=False, fixedrange=True)
    return fig


def _text(head: Mapping) -> str:
    name = f"<b>{head['title']}</b>"
    if not math.isfinite(head["auroc"]):
        return f"{name} could not be fitted"
    text = f"{name} {format_estimate(head['auroc'], head['lo'], head['hi'])}"
    if not math.isfinite(head["difference"]):
        return text
    sign = "+" if head["difference"] >= 0 else ""
    limits = f"[{format_value(head['difference_lo'])}, {format_value(head['difference_hi'])}]"
    return f"{text} · {sign}{format_value(head['difference'])} {limits} against the diagonal"


def _dot(head: Mapping, row: int, text: str, ink: str, muted: str) -> go.Scatter:
    diagonal = head["head"] == "diag"
    return go.Scatter(
        x=[head["auroc"]],
        y=[row],
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [head["hi"] - head["auroc"]],
            "arrayminus": [head["auroc"] - head["lo"]],
            "color": ink,
            "thickness": 2,
            "width": 0,
        },
        mode="markers",
        name=head["title"],
        marker={
            "symbol": "diamond" if diagonal else "circle",
            "size": 10,
            "color": "#E69F00" if diagonal else muted,
            "line": {"color": ink, "width": 1.5},
        },
        hovertemplate=f"{text}<extra></extra>",
    )
