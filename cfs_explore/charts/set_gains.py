"""What averaging encoder and decoder is worth on each OOD set."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.row_lines import row_lines
from cfs_explore.charts.theme import ROLE_COLOURS, format_estimate, format_value, new_chart, palette

_ROW_PX = 44
#: The better one alone -> colour and symbol of the dot.
_STYLES = {
    "encoder": (ROLE_COLOURS["encoder"], "square"),
    "decoder": (ROLE_COLOURS["decoder"], "circle"),
    "neither": (ROLE_COLOURS["control"], "diamond"),
}
_COLUMNS = ("ood", "auroc_gain", "auroc_gain_lo", "auroc_gain_hi", "better", "auroc_e", "auroc_d", "auroc_avg")


def set_gains_chart(rows: pd.DataFrame, theme: str = "light") -> go.Figure:
    """One row per OOD set, in the table's order from the top: AUROC of the average minus the better one's.

    Args:
        rows: ood, auroc_gain with _lo and _hi, better ("encoder" or "decoder", whose colour and symbol the dot
            takes unless their AUROCs are equal), auroc_e, auroc_d, auroc_avg; a row without a finite gain says so, and
            one with a true ``survives`` (theory 30) has a star; that column may be missing.
    """
    require_columns(rows, _COLUMNS, "gains of the OOD sets")
    colours, height = palette(theme), _ROW_PX * len(rows) + 52
    fig = new_chart(
        theme,
        height=height,
        meta={"kind": "rows", "height": height},
        margin={"l": 18, "r": 20, "t": 4, "b": 48},
        hovermode="closest",
        showlegend=False,
    )
    for position, row in enumerate(rows.to_dict("records")):
        text = _text(row)
        place = {"x": 0, "xref": "paper", "xanchor": "left", "yanchor": "bottom", "yshift": 8}
        fig.add_annotation(y=position, text=text, bgcolor=colours.page, borderpad=1, **place)
        if math.isfinite(row["auroc_gain"]):
            fig.add_trace(_dot(row, position, text))
    reach = rows[["auroc_gain_lo", "auroc_gain_hi"]].abs().max().max()
    reach = 1.08 * reach if math.isfinite(reach) and reach > 0 else 0.05
    fig.update_layout(shapes=row_lines(0, len(rows), {"color": colours.muted, "width": 1.5, "dash": "dot"}))
    fig.update_xaxes(
        range=[-reach, reach], title_text="AUROC of the average − better one, 95 % interval", nticks=7, fixedrange=True
    )
    fig.update_yaxes(range=[len(rows) - 0.6, -0.75], visible=False, fixedrange=True)
    return fig


def _text(row: Mapping) -> str:
    if not math.isfinite(row["auroc_gain"]):
        return f"<b>{row['ood']}</b> too few images"
    sign = "+" if row["auroc_gain"] > 0 else ""
    gain = format_estimate(row["auroc_gain"], row["auroc_gain_lo"], row["auroc_gain_hi"])
    alone = f"encoder {format_value(row['auroc_e'])}, decoder {format_value(row['auroc_d'])}"
    mark = " *" if row.get("survives", False) else ""
    return f"<b>{row['ood']}</b>{mark} {sign}{gain} · {alone}"


def _dot(row: Mapping, position: int, text: str) -> go.Scatter:
    better = "neither" if row["auroc_e"] == row["auroc_d"] else row["better"]
    colour, symbol = _STYLES[better]
    about = f"{text}<br>average {format_value(row['auroc_avg'])}; better alone: {better}"
    return go.Scatter(
        x=[row["auroc_gain"]],
        y=[position],
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [row["auroc_gain_hi"] - row["auroc_gain"]],
            "arrayminus": [row["auroc_gain"] - row["auroc_gain_lo"]],
            "color": colour,
            "thickness": 2,
            "width": 0,
        },
        mode="markers",
        name=row["ood"],
        marker={"symbol": symbol, "size": 10, "color": colour},
        hovertemplate=f"{about}<extra></extra>",
    )
