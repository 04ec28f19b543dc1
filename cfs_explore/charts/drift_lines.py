"""Drift of one tap's snapshot by its cause, along the noise (theory 16)."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.marks import hovers
from cfs_explore.charts.noise_lines import band, faint, line_chart, noise_axis
from cfs_explore.charts.theme import CATEGORY_COLOURS, ROLE_COLOURS
from cfs_explore.wording import format_digits, format_value

#: cause -> (what the legend says, colour, dash, symbol)
_CAUSES = {
    "noise": ("Only the noise changes", CATEGORY_COLOURS[0], "solid", "circle"),
    "conditioning": ("Only the conditioning changes", CATEGORY_COLOURS[1], "dash", "square"),
    "both": ("Both, as in the map", ROLE_COLOURS["control"], "dot", "diamond"),
}


def drift_lines_chart(table: pd.DataFrame, value_label: str, theme: str = "light") -> go.Figure:
    """Squared drift over the log-SNR on a logarithmic axis, a line per cause; where nothing moves there is no point.

    Args:
        table: a row per level and cause of one tap: lam, cause, value, lo, hi.
        value_label: of the y axis.
    """
    require_columns(table, ("lam", "cause", "value", "lo", "hi"), "drift")
    fig = line_chart(theme, len(_CAUSES))
    for cause, (name, colour, dash, symbol) in _CAUSES.items():
        rows = table[(table["cause"] == cause) & (table["value"] > 0)]
        fig.add_trace(band(rows[rows["lo"] > 0], "lam", "lo", "hi", faint(colour, 0.25)))
        fig.add_trace(
            go.Scatter(
                x=rows["lam"].tolist(),
                y=rows["value"].tolist(),
                name=name,
                mode="lines+markers",
                line={"color": colour, "width": 2.5, "dash": dash},
                marker={"symbol": symbol, "size": 8, "color": colour},
                **hovers(_hover(name, row) for row in rows.to_dict("records")),
            )
        )
    fig.update_xaxes(**noise_axis(table["lam"]))
    fig.update_yaxes(type="log", title_text=value_label, showgrid=True, dtick=1, tickformat="~g", fixedrange=True)
    return fig


def _hover(name: str, row: dict) -> str:
    value = format_digits(row["value"])
    interval = f" [{format_digits(row['lo'])}, {format_digits(row['hi'])}]" if pd.notna(row["lo"]) else ""
    return f"<b>{name}</b><br>λ {format_value(row['lam'], 2)}: {value}{interval} × v"
