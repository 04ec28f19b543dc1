"""What each kind of proxy says of one cell: measured and predicted AUROC (theory 13, 17)."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.marks import flat_legend, hovers, limits
from cfs_explore.charts.rows import row_chart, row_lines, row_texts
from cfs_explore.charts.theme import ROLE_COLOURS, palette
from cfs_explore.wording import format_estimate, format_value

#: Kind -> what is done to an ID image.
PROXY_NAMES = {
    "blur": "Blur",
    "noise": "Noise",
    "jpeg": "JPEG",
    "colour": "Colour shift",
    "shuffle": "Patch shuffle",
    "flip": "Flip or turn",
    "mix": "Mix of two",
}
_ROW_PX = 40


def proxy_dots_chart(rows: pd.DataFrame, left_out: Collection[str] = (), theme: str = "light") -> go.Figure:
    """One row per kind of proxy, in the table's order from the top.

    Args:
        rows: of one cell: proxy, predicted (13), auroc measured on the proxies, lo, hi (95 % interval).
        left_out: kinds that do not count for the OOD set on show; they are said so and drawn open.
    """
    require_columns(rows, ("proxy", "predicted", "auroc", "lo", "hi"), "proxies of a cell")
    colours = palette(theme)
    lowest = rows[["auroc", "lo", "predicted"]].min().min()
    low = max(0.0, math.floor((min(lowest, 0.5) - 0.02) * 20) / 20)
    margin = {"l": 14, "r": 14, "t": 28, "b": 46}
    fig = row_chart(theme, len(rows), _ROW_PX, margin, spare_px=6, showlegend=True, legend=flat_legend(1))
    records = list(enumerate(rows.to_dict("records")))
    counted = [record for record in records if record[1]["proxy"] not in left_out]
    others = [record for record in records if record[1]["proxy"] in left_out]
    fig.add_trace(_measured(counted, "circle", "measured, 95 % interval"))
    if others:
        fig.add_trace(_measured(others, "circle-open", "left out"))
    fig.add_trace(_predicted(records, colours.ink))
    fig.update_layout(
        shapes=row_lines(0.5, len(rows), {"color": colours.muted, "width": 1, "dash": "dot"}),
        annotations=row_texts((_text(row, left_out) for _, row in records), 7, bgcolor=colours.page),
    )
    fig.update_xaxes(range=[low, 1.01], title_text="AUROC of the proxies against ID images", fixedrange=True)
    return fig


def _text(row: Mapping, left_out: Collection[str]) -> str:
    name = f"<b>{PROXY_NAMES[row['proxy']]}</b> {format_estimate(row['auroc'], row['lo'], row['hi'])}"
    predicted = f" · predicted {format_value(row['predicted'])}"
    return name + predicted + (" · left out" if row["proxy"] in left_out else "")


def _measured(records: list[tuple[int, Mapping]], symbol: str, name: str) -> go.Scatter:
    colour = ROLE_COLOURS["id"]
    return go.Scatter(
        x=[row["auroc"] for _, row in records],
        y=[position for position, _ in records],
        error_x=limits(*([row[name] for _, row in records] for name in ("auroc", "lo", "hi")), colour),
        mode="markers",
        name=name,
        marker={"symbol": symbol, "size": 10, "color": colour, "line": {"width": 2, "color": colour}},
        **hovers(_text(row, ()) for _, row in records),
    )


def _predicted(records: list[tuple[int, Mapping]], ink: str) -> go.Scatter:
    return go.Scatter(
        x=[row["predicted"] for _, row in records],
        y=[position for position, _ in records],
        mode="markers",
        name="predicted (13)",
        marker={"symbol": "line-ns-open", "size": 16, "color": ink, "line": {"width": 2.5, "color": ink}},
        hoverinfo="skip",
    )
