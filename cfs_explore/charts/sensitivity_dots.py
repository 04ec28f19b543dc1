"""How much a map depends on where its levels are placed: every variant against the run's own map (theory 1)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import FigureDataError, require_columns
from cfs_explore.charts.marks import hovers
from cfs_explore.charts.rows import row_chart, row_dot, row_rules, row_texts
from cfs_explore.charts.sensitivity_words import panel_hover, variant_label
from cfs_explore.charts.theme import CATEGORY_COLOURS, ROLE_COLOURS, Palette, palette
from cfs_explore.wording import format_value

__all__ = ["PANELS", "sensitivity_dots_chart", "variant_label"]


_ROW_PX, _MARGIN = 42, {"l": 12, "r": 12, "t": 50, "b": 30}
_GAP = 0.06


@dataclass(frozen=True)
class Panel:
    """One of the columns: ``value`` with limits ``lo`` and ``hi``, under a title of two short lines."""

    value: str
    lo: str
    hi: str
    title: str


PANELS = (
    Panel("spearman", "spearman_lo", "spearman_hi", "Rank correlation<br>with the run's map"),
    Panel("cost_of_moving", "cost_of_moving_lo", "cost_of_moving_hi", "AUROC lost by the<br>variant's best cell"),
    Panel("cfs_auroc", "cfs_lo", "cfs_hi", "CFS(1x2) AUROC<br>(open: CFS-dec)"),
)
_COLUMNS = (
    *("variant", "baseline", "cells", "best_tap", "best_requested", "baseline_tap", "baseline_requested"),
    *("moved_levels", "moved_depth", "dec_auroc", "cfs_minus_dec", "cfs_minus_dec_lo", "cfs_minus_dec_hi"),
    *("cfs_place", "baseline_place"),
    *(name for panel in PANELS for name in (panel.value, panel.lo, panel.hi)),
)


def sensitivity_dots_chart(rows: pd.DataFrame, theme: str = "light") -> go.Figure:
    """One row per variant, the baseline first; three panels: order of the cells, best cell, CFS(1x2).

    Args:
        rows: the table ``sensitivity`` of one OOD set: variant, baseline; spearman, cost_of_moving and cfs_auroc with
            their limits, dec_auroc and cfs_minus_dec (all in AUROC, NaN where there is none); cells; best_tap,
            best_requested (log-SNR) and the same of the baseline; moved_levels, moved_depth, cfs_place,
            baseline_place (shares).
        theme: light or dark.
    """
    require_columns(rows, _COLUMNS, "sensitivity to alignment")
    if rows["variant"].duplicated().any():
        raise FigureDataError("The table for the sensitivity to alignment names a variant twice. Filter it to one set.")
    rows = rows.assign(own=rows["variant"] == rows["baseline"]).sort_values("own", ascending=False, kind="stable")
    records = list(enumerate(rows.to_dict("records")))
    fig = row_chart(theme, len(rows), _ROW_PX, _MARGIN, above=0.8)
    colours, traces, shapes, notes, axes = palette(theme), [], [], _labels(records, palette(theme).page), {}
    for k, panel in enumerate(PANELS):
        x = f"x{k + 1}" if k else "x"
        low, high = _reach(rows, k)
        axes[f"xaxis{k + 1}" if k else "xaxis"] = _axis(k, low, high)
        shapes += _rules(rows, k, x, (low, high), colours)
        notes.append(_title(panel, x, colours.muted))
        notes += [_missing(x, row, colours) for row, each in records if not math.isfinite(each[panel.value])]
        traces += [_dot(each, row, panel, x, colours) for row, each in records if math.isfinite(each[panel.value])]
    decoder = [record for record in records if math.isfinite(record[1]["dec_auroc"])]
    traces += [_decoder(decoder)] if decoder else []
    fig.add_traces(traces)
    fig.update_layout(shapes=shapes, annotations=notes, **axes)
    return fig


def _reach(rows: pd.DataFrame, k: int) -> tuple[float, float]:
    """Ends of a panel's axis: every interval, and the value that it is read against."""
    panel = PANELS[k]
    values = rows[[panel.value, panel.lo, panel.hi, *(["dec_auroc"] if k == 2 else [])]]
    low, high = float(values.min().min()), float(values.max().max())
    anchor = 0.0 if k == 1 else 1.0
    low, high = (min(low, anchor), max(high, anchor)) if math.isfinite(low) else (anchor - 0.5, anchor)
    low = min(low, anchor - 0.02) if k != 1 else low
    high = max(high, 0.02) if k == 1 else 1.0
    room = 0.06 * (high - low)
    return low - room, high + room


def _axis(k: int, low: float, high: float) -> dict:
    width = (1 - 2 * _GAP) / 3
    left = k * (width + _GAP)
    return {
        "domain": [left, min(1.0, left + width)],
        "anchor": "y",
        "range": [low, high],
        "nticks": 4,
        "tickformat": ".2~f",
        "tickangle": 0,
        "fixedrange": True,
    }


def _rules(rows: pd.DataFrame, k: int, x: str, ends: tuple[float, float], colours: Palette) -> list[dict]:
    """A line under each row, and across them the value that the panel is read against."""
    rules = [rule | {"xref": x} for rule in row_rules(*ends, len(rows), colours.grid)]
    own = rows.loc[rows["own"], "cfs_auroc"]
    against = (1.0, 0.0, float(own.iloc[0]) if len(own) else math.nan)[k]
    if math.isfinite(against):
        dash = {"color": colours.muted, "width": 1, "dash": "dot"}
        line = {"type": "line", "xref": x, "yref": "paper", "layer": "below", "line": dash}
        rules.append({**line, "x0": against, "x1": against, "y0": 0, "y1": 1})
    return rules


def _labels(records: list[tuple[int, Mapping]], page: str) -> list[dict]:
    texts = (f"<b>{variant_label(each['variant'])}</b>" + " (own)" * each["own"] for _, each in records)
    return row_texts(texts, bgcolor=page)


def _title(panel: Panel, x: str, colour: str) -> dict:
    place = {"x": 0, "xref": f"{x} domain", "xanchor": "left", "y": 1, "yref": "paper", "yanchor": "bottom"}
    return {**place, "yshift": 8, "align": "left", "text": panel.title, "font": {"size": 12, "color": colour}}


def _missing(x: str, row: int, colours: Palette) -> dict:
    """In the dot's place, on the line."""
    place = {"x": 0.5, "xref": f"{x} domain", "xanchor": "center", "y": row, "yanchor": "middle"}
    return place | {
        "text": format_value(math.nan),
        "font": {"size": 12, "color": colours.muted},
        "bgcolor": colours.page,
    }


def _dot(each: Mapping, row: int, panel: Panel, x: str, colours: Palette) -> go.Scatter:
    colour = ROLE_COLOURS["control"] if each["own"] else CATEGORY_COLOURS[1]
    marker = {"symbol": "circle", "size": 10, "color": colour, "line": {"color": colours.ink, "width": 1.2}}
    name, about = f"{variant_label(each['variant'])}: {panel.value}", panel_hover(each, panel.value)
    estimate = each[panel.value], each[panel.lo], each[panel.hi]
    return row_dot(row, estimate, marker, colour, name, about, xaxis=x, cliponaxis=False)


def _decoder(records: list[tuple[int, Mapping]]) -> go.Scatter:
    colour = ROLE_COLOURS["decoder"]
    return go.Scatter(
        x=[each["dec_auroc"] for _, each in records],
        y=[row for row, _ in records],
        xaxis="x3",
        mode="markers",
        cliponaxis=False,
        name="CFS-dec(1x1)",
        marker={"symbol": "diamond-open", "size": 10, "color": colour, "line": {"color": colour, "width": 2}},
        **hovers(panel_hover(each, PANELS[2].value) for _, each in records),
    )
