"""What averaging encoder and decoder is worth on each OOD set."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.rows import row_chart, row_dot, row_lines, row_texts
from cfs_explore.charts.theme import ROLE_COLOURS, palette
from cfs_explore.wording import format_estimate, format_value

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
    colours, records = palette(theme), rows.to_dict("records")
    fig = row_chart(theme, len(records), _ROW_PX, {"l": 18, "r": 20, "t": 4, "b": 48})
    known = [(position, row) for position, row in enumerate(records) if math.isfinite(row["auroc_gain"])]
    fig.add_traces([_dot(row, position) for position, row in known])
    reach = rows[["auroc_gain_lo", "auroc_gain_hi"]].abs().max().max()
    reach = 1.08 * reach if math.isfinite(reach) and reach > 0 else 0.05
    fig.update_layout(
        shapes=row_lines(0, len(rows), {"color": colours.muted, "width": 1.5, "dash": "dot"}),
        annotations=row_texts(map(_text, records), bgcolor=colours.page, borderpad=1),
    )
    fig.update_xaxes(
        range=[-reach, reach], title_text="AUROC of the average − better one, 95 % interval", nticks=7, fixedrange=True
    )
    return fig


def _text(row: Mapping) -> str:
    if not math.isfinite(row["auroc_gain"]):
        return f"<b>{row['ood']}</b> too few images"
    sign = "+" if row["auroc_gain"] > 0 else ""
    gain = format_estimate(row["auroc_gain"], row["auroc_gain_lo"], row["auroc_gain_hi"])
    alone = f"encoder {format_value(row['auroc_e'])}, decoder {format_value(row['auroc_d'])}"
    mark = " *" if row.get("survives", False) else ""
    return f"<b>{row['ood']}</b>{mark} {sign}{gain} · {alone}"


def _dot(row: Mapping, position: int) -> go.Scatter:
    better = "neither" if row["auroc_e"] == row["auroc_d"] else row["better"]
    colour, symbol = _STYLES[better]
    about = f"{_text(row)}<br>average {format_value(row['auroc_avg'])}; better alone: {better}"
    estimate = row["auroc_gain"], row["auroc_gain_lo"], row["auroc_gain_hi"]
    return row_dot(position, estimate, {"symbol": symbol, "size": 10, "color": colour}, colour, row["ood"], about)
