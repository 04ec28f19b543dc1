"""What a map loses by the error of the conditioning, encoder and decoder apart (theory 1)."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import FigureDataError, require_columns
from cfs_explore.charts.marks import hovers, limits, wide_chart
from cfs_explore.charts.noise_lines import band, faint
from cfs_explore.charts.theme import ROLE_COLOURS, palette
from cfs_explore.wording import format_value, percent

PUBLISHED = "published"
X_TITLE = "Conditioning minus true log-SNR (too noisy → too clean)"
_HEIGHT = 360
#: Group -> (colour, dash, symbol, place beside the others in the column of the published conditioning).
_STYLES = {
    "other": (ROLE_COLOURS["control"], "dot", "square", 0.0),
    "encoder": (ROLE_COLOURS["encoder"], "dash", "circle", -0.22),
    "decoder": (ROLE_COLOURS["decoder"], "solid", "diamond", 0.22),
}
_NAMES = {"encoder": "Encoder", "decoder": "Decoder", "other": "Others"}
_COLUMNS = ("variant", "offset", "level", "lam", "tap", "region", "auroc", "loss", "loss_lo", "loss_hi")


def conditioning_lines_chart(frame: pd.DataFrame, theme: str = "light") -> go.Figure:
    """Median loss of AUROC over the cells of encoder, decoder and other taps, against the error of the conditioning.

    Bands of encoder and decoder reach from the 10th to the 90th percentile of cells; a third would hide them, so that
    of the others is shown on hover. The published conditioning has no single offset and gets a column of its own, at
    the right. With true conditioning, nothing is lost.

    Args:
        frame: the table ``conditioning`` of one OOD set: variant, offset (in log-SNR; NaN for "published"), level,
            lam, tap, region; auroc, loss (of AUROC) with its 95 % limits loss_lo and loss_hi.
        theme: light or dark.
    """
    require_columns(frame, _COLUMNS, "loss by wrong conditioning")
    if frame.duplicated(["variant", "level", "tap"]).any():
        raise FigureDataError(
            "The table for the loss by wrong conditioning has a cell twice. Filter it to one OOD set."
        )
    groups = frame["region"].where(frame["region"].isin(list(_STYLES)), "other")
    summary = _summary(frame.assign(group=groups))
    offsets = sorted(set(summary["offset"].dropna()))
    column = offsets[-1] + 1.25 * max(1.0, (offsets[-1] - offsets[0]) / 4)
    shown = [name for name in _STYLES if name in set(groups)]
    by_offset = summary[summary["variant"] != PUBLISHED]
    published = summary[summary["variant"] == PUBLISHED]
    parts = {name: by_offset[by_offset["group"] == name] for name in shown}
    traces = [
        band(rows, "offset", "low", "high", faint(_STYLES[name][0])) for name, rows in parts.items() if name != "other"
    ]
    traces += [_line(rows, name) for name, rows in parts.items()]
    traces += [_published(row, column) for row in published.to_dict("records") if row["group"] in shown]
    fig = wide_chart(theme, _HEIGHT)
    fig.add_traces(traces)
    _lay_out_axes(fig, offsets, None if published.empty else column, theme)
    return fig


def _summary(frame: pd.DataFrame) -> pd.DataFrame:
    """A row per variant and group: offset, low, median, high over cells, share beyond chance, cells; 0 at offset 0."""
    rows = []
    for (variant, group), cells in frame.groupby(["variant", "group"], sort=False):
        low, median, high = cells["loss"].quantile([0.1, 0.5, 0.9])
        beyond = ((cells["loss_lo"] > 0) | (cells["loss_hi"] < 0)).mean()
        facts = {"variant": variant, "group": group, "offset": cells["offset"].iloc[0], "cells": len(cells)}
        rows.append(facts | {"low": low, "median": median, "high": high, "beyond": beyond})
    measured = [row for row in rows if row["offset"] != 0]
    truth = {"variant": "matched", "offset": 0.0} | dict.fromkeys(("low", "median", "high", "beyond"), 0.0)
    sizes = {row["group"]: row["cells"] for row in rows}
    zeros = [truth | {"group": group, "cells": cells} for group, cells in sizes.items()]
    return pd.DataFrame(measured + zeros).sort_values("offset", kind="stable")


def _hover(row: Mapping) -> str:
    conditioning = "true conditioning" if row["offset"] == 0 else "conditioning as published"
    if row["variant"] != PUBLISHED and row["offset"]:
        conditioning = f"conditioning λ {'+' if row['offset'] > 0 else '−'} {abs(row['offset']):g}"
    return (
        f"<b>{_NAMES[row['group']]}</b>, {conditioning}<br>median loss {format_value(row['median'])}<br>"
        f"10th to 90th percentile {format_value(row['low'])} to {format_value(row['high'])}<br>"
        f"the interval excludes 0 in {percent(row['beyond'])} of {row['cells']} cells"
    )


def _line(rows: pd.DataFrame, group: str) -> go.Scatter:
    colour, dash, symbol, _ = _STYLES[group]
    return go.Scatter(
        x=rows["offset"].tolist(),
        y=rows["median"].tolist(),
        mode="lines+markers",
        name=_NAMES[group],
        legendgroup=group,
        legendrank=list(_NAMES).index(group),
        line={"color": colour, "width": 2.5, "dash": dash},
        marker={"symbol": symbol, "size": 8, "color": colour},
        **hovers(_hover(row) for row in rows.to_dict("records")),
    )


def _published(row: Mapping, column: float) -> go.Scatter:
    colour, _, symbol, aside = _STYLES[row["group"]]
    return go.Scatter(
        x=[column + aside],
        y=[row["median"]],
        error_y=limits([row["median"]], [row["low"]], [row["high"]], colour),
        mode="markers",
        name=f"{_NAMES[row['group']]}, published",
        legendgroup=row["group"],
        showlegend=False,
        marker={"symbol": symbol, "size": 9, "color": colour},
        **hovers([_hover(row)]),
    )


def _lay_out_axes(fig: go.Figure, offsets: list[float], column: float | None, theme: str) -> None:
    colours = palette(theme)
    line = {"type": "line", "layer": "below", "line": {"color": colours.muted, "width": 1.2, "dash": "dot"}}
    shapes = [{**line, "xref": "paper", "x0": 0, "x1": 1, "y0": 0, "y1": 0}]
    ticks = {offset: ("+" if offset > 0 else "") + format_value(offset, 1).removesuffix(".0") for offset in offsets}
    end = offsets[-1] if column is None else column
    room = 0.05 * (end - offsets[0]) or 0.5
    if column is not None:
        ticks[column] = PUBLISHED
        room = max(room, 0.42)
        middle = (offsets[-1] + column - 0.22) / 2
        rule = {"color": colours.grid, "width": 1}
        shapes.append({**line, "yref": "paper", "x0": middle, "x1": middle, "y0": 0, "y1": 1, "line": rule})
    fig.update_layout(shapes=shapes)
    fig.update_xaxes(
        range=[offsets[0] - room, end + room],
        tickvals=list(ticks),
        ticktext=list(ticks.values()),
        title_text=X_TITLE,
        ticks="outside",
        showline=True,
        tickangle=0,
        fixedrange=True,
    )
    fig.update_yaxes(title_text="AUROC lost", tickformat=".3~f", showgrid=True, fixedrange=True, nticks=7)
