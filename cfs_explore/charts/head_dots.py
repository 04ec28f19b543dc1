"""The heads on one cell: AUROC of each, and what it gains over the diagonal one."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.rows import axis_start, row_chart, row_dot, row_lines, row_texts
from cfs_explore.charts.theme import palette
from cfs_explore.wording import format_estimate, format_value

_ROW_PX = 46


def head_dots_chart(heads: pd.DataFrame, theme: str = "light") -> go.Figure:
    """One row per head, in the table's order from the top; the diagonal head's AUROC continues as a line.

    Args:
        heads: columns head, title (what people call it), auroc, lo, hi, difference, difference_lo, difference_hi (from
            the diagonal head, paired), note (why a head could not be fitted, or nothing).
    """
    needed = ("head", "title", "auroc", "lo", "hi", "difference", "difference_lo", "difference_hi", "note")
    require_columns(heads, needed, "heads of a cell")
    colours, low, texts = palette(theme), axis_start(heads), []
    fig = row_chart(theme, len(heads), _ROW_PX, {"l": 18, "r": 20, "t": 6, "b": 40})
    reference = heads.loc[heads["head"] == "diag", "auroc"]
    if len(reference) and math.isfinite(reference.iloc[0]):
        line = {"color": colours.muted, "width": 1.5, "dash": "dash"}
        fig.update_layout(shapes=row_lines(float(reference.iloc[0]), len(heads), line))
    for row, head in enumerate(heads.to_dict("records")):
        texts.append(_text(head))
        if math.isfinite(head["auroc"]):
            fig.add_trace(_dot(head, row, texts[-1], colours.ink, colours.muted))
    fig.update_layout(annotations=row_texts(texts, bgcolor=colours.page, borderpad=1))
    fig.update_xaxes(
        range=[low, 1.005], title_text="AUROC, 95 % interval", tickformat=".2~f", nticks=6, fixedrange=True
    )
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
    marker = {
        "symbol": "diamond" if diagonal else "circle",
        "size": 10,
        "color": "#E69F00" if diagonal else muted,
        "line": {"color": ink, "width": 1.5},
    }
    return row_dot(row, (head["auroc"], head["lo"], head["hi"]), marker, ink, head["title"], text)
