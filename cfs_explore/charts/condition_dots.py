"""What two cells lose when the network is conditioned on a label or a prompt, a row each (theory 1)."""

from __future__ import annotations

import html
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns, require_known
from cfs_explore.charts.marks import flat_legend
from cfs_explore.charts.rows import row_chart, row_dot, row_lines, row_rules, row_texts
from cfs_explore.charts.theme import ROLE_COLOURS, palette
from cfs_explore.wording import format_estimate

_ROW_PX = 50
#: Region -> (name, marker symbol, how far below the row's middle).
_STYLES = {"encoder": ("Encoder", "circle", 0.0), "decoder": ("Decoder", "diamond", 0.2)}
_COLUMNS = ("title", "region", "about", "loss", "loss_lo", "loss_hi")


def condition_dots_chart(rows: pd.DataFrame, theme: str = "light") -> go.Figure:
    """A row per label or prompt, in the table's order from the top: its name above the dots of encoder and decoder.

    Args:
        rows: columns title (of the label or prompt), region ("encoder" or "decoder"), about (which cell), loss (of
            AUROC) with its 95 % limits loss_lo and loss_hi.
        theme: "light" or "dark".
    """
    require_columns(rows, _COLUMNS, "loss by label")
    require_known(rows["region"], _STYLES, "The 'region' of a row")
    colours, titles = palette(theme), list(rows["title"].unique())
    fig = row_chart(theme, len(titles), _ROW_PX, {"l": 18, "r": 20, "t": 34, "b": 46}, above=0.8)
    names = [f"<b>{html.escape(title, quote=False)}</b>" for title in titles]  # plotly reads tags
    low, high = min(0.0, rows["loss_lo"].min()), max(0.0, rows["loss_hi"].max())
    room = 0.06 * (high - low) or 0.01
    line = {"color": colours.muted, "width": 1.5, "dash": "dot"}
    rules = row_rules(low - room, high + room, len(titles), colours.grid)
    fig.update_layout(
        annotations=row_texts(names, 6, bgcolor=colours.page, borderpad=1),
        shapes=[*row_lines(0.0, len(titles), line), *rules],
        showlegend=True,
        legend=flat_legend(1.0),
    )
    fig.add_traces([_dot(row, titles.index(row["title"])) for row in rows.to_dict("records")])
    fig.update_xaxes(range=[low - room, high + room], title_text="AUROC lost, 95 % interval", nticks=7, fixedrange=True)
    return fig


def _dot(row: Mapping, position: int) -> go.Scatter:
    name, symbol, below = _STYLES[row["region"]]
    colour = ROLE_COLOURS[row["region"]]
    estimate = row["loss"], row["loss_lo"], row["loss_hi"]
    about = (
        f"<b>{html.escape(row['title'], quote=False)}</b><br>{row['about']}<br>AUROC lost {format_estimate(*estimate)}"
    )
    marker = {"symbol": symbol, "size": 10, "color": colour}
    legend = {"legendgroup": row["region"], "showlegend": position == 0}
    return row_dot(position + below, estimate, marker, colour, name, about, **legend)
