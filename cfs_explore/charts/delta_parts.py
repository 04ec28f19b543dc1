"""What a difference of mean scores is made of: mean shift and variance change, of one cell or along the taps (10)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.map_heatmap import X_TITLE
from cfs_explore.charts.marks import flat_legend, hovers, limits
from cfs_explore.charts.rows import row_chart, row_texts
from cfs_explore.charts.tap_names import short_tap_name, tap_ticks, taps_px, tick_label
from cfs_explore.charts.theme import BASE_FONT_PX, CATEGORY_COLOURS, new_chart, palette, text_px
from cfs_explore.wording import format_estimate

#: Part -> (name, colour, pattern that tells it apart in print); the colours are those of the map of shares.
PARTS = {
    "mean_shift": ("Mean shift", CATEGORY_COLOURS[1], ""),
    "variance_change": ("Variance change", CATEGORY_COLOURS[0], "/"),
}
_ROW_PX = 54
_BARS_PX = 330


def delta_parts_chart(cell: Mapping, theme: str = "light") -> go.Figure:
    """One cell: a bar for each part and for their sum, with 95 % intervals.

    Args:
        cell: a row of the separation table: mean_shift, variance_change, delta, each with _lo and _hi.
    """
    names = [name for part in (*PARTS, "delta") for name in (part, f"{part}_lo", f"{part}_hi")]
    require_columns(pd.DataFrame([cell]), tuple(names), "parts of Δ")
    colours = palette(theme)
    rows = [(part, *style) for part, style in PARTS.items()] + [("delta", "Δ, their sum", colours.muted, "")]
    margin, texts = {"l": 12, "r": 16, "t": 6, "b": 44}, []
    fig = row_chart(theme, len(rows), _ROW_PX, margin, spare_px=-2, bargap=0.62)
    for row, (part, name, colour, pattern) in enumerate(rows):
        value, lo, hi = (float(cell[key]) for key in (part, f"{part}_lo", f"{part}_hi"))
        texts.append(f"<b>{name}</b> {format_estimate(value, lo, hi)}")
        fig.add_trace(
            go.Bar(
                x=[value],
                y=[row],
                orientation="h",
                name=name,
                marker={"color": colour, "pattern": _pattern(pattern, colours.page)},
                error_x=limits([value], [lo], [hi], colours.ink, width=4),
                hovertemplate=f"{texts[-1]}<extra></extra>",
            )
        )
    fig.update_layout(annotations=row_texts(texts, 10, bgcolor=colours.page, borderpad=1))
    fig.update_xaxes(title_text="Mean score of OOD minus that of ID", zeroline=True, zerolinecolor=colours.muted)
    fig.update_yaxes(range=[len(rows) - 0.65, -0.75])
    fig.update_xaxes(fixedrange=True, nticks=6)
    return fig


def tap_parts_chart(cells: pd.DataFrame, chosen: int | None = None, theme: str = "light") -> go.Figure:
    """Both parts of every tap at one level, stacked, with Delta and its interval as a dot.

    In units of sqrt(Var_ID + Var_OOD), which makes taps comparable: the normal distribution function of the sum is the
    predicted AUROC (13).

    Args:
        cells: rows of the separation table of one OOD set and level: tap, tap_index, mean_shift, variance_change,
            delta, delta_lo, delta_hi, var_id, var_ood.
        chosen: tap_index of the tap whose label is set in bold.
    """
    needed = ("tap", "tap_index", *PARTS, "delta", "delta_lo", "delta_hi", "var_id", "var_ood")
    require_columns(cells, needed, "parts of Δ along the taps")
    unit = np.sqrt(cells["var_id"] + cells["var_ood"]).where(lambda sd: sd > 0)
    scaled = cells[[*PARTS, "delta", "delta_lo", "delta_hi"]].div(unit, axis=0)
    cells = cells[["tap", "tap_index"]].join(scaled)
    colours = palette(theme)
    cells = cells.sort_values("tap_index")
    labels = [tick_label(name) for name in cells["tap"]]
    bottom = 0.75 * max(text_px(label, BASE_FONT_PX) for label in labels) + 34
    x, margin = list(range(len(cells))), {"l": 60, "r": 16, "t": 36, "b": round(bottom)}
    fig = new_chart(
        theme,
        height=round(_BARS_PX + bottom),
        margin=margin,
        meta={"least_px": taps_px(x, margin)},
        barmode="relative",
        bargap=0.25,
        hovermode="closest",
        legend=flat_legend(),
    )
    for part, (name, colour, pattern) in PARTS.items():
        marker = {"color": colour, "pattern": _pattern(pattern, colours.page)}
        texts = (
            f"<b>{short_tap_name(tap)}</b><br>{name} {format_estimate(v)}"
            for tap, v in zip(cells["tap"], cells[part], strict=True)
        )
        fig.add_trace(go.Bar(x=x, y=cells[part].tolist(), name=name, marker=marker, **hovers(texts)))
    fig.add_trace(_delta_trace(cells, x, colours.ink, colours.page))
    ticks = [
        f"<b>{label}</b>" if tap == chosen else label for label, tap in zip(labels, cells["tap_index"], strict=True)
    ]
    fig.update_xaxes(**tap_ticks(ticks, x), fixedrange=True, title_text=X_TITLE)
    fig.update_yaxes(
        title_text="Standard deviations of the score",
        zeroline=True,
        zerolinecolor=colours.muted,
        showgrid=True,
        fixedrange=True,
    )
    return fig


def _delta_trace(cells: pd.DataFrame, x: list[int], ink: str, page: str) -> go.Scatter:
    values = list(zip(cells["delta"], cells["delta_lo"], cells["delta_hi"], strict=True))
    known = [(v, lo, hi) if math.isfinite(lo) else (v, v, v) for v, lo, hi in values]
    return go.Scatter(
        x=x,
        y=[v for v, _, _ in known],
        name="Δ, their sum",
        mode="markers",
        marker={"symbol": "diamond", "size": 8, "color": page, "line": {"color": ink, "width": 1.5}},
        error_y=limits(*zip(*known, strict=True), ink, 1.5),
        **hovers(
            f"<b>{short_tap_name(tap)}</b><br>Δ {format_estimate(*value)}"
            for tap, value in zip(cells["tap"], values, strict=True)
        ),
    )


def _pattern(shape: str, page: str) -> dict:
    """Thin lines in the page's colour over the bar's own."""
    return {"shape": shape, "fillmode": "overlay", "fgcolor": page, "size": 7, "solidity": 0.2}
