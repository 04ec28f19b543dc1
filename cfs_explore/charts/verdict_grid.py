"""The paper's claims against the OOD sets, as a table of verdicts."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.number_grid import CELL_TEXT, HEAD_PX, SMALL_PX, number_grid_chart, text_colour
from cfs_explore.charts.theme import palette, text_px
from cfs_explore.charts.verdict_style import SCALE, VERDICT_STYLES, cell_text, verdict_lines

#: With more sets than this, a cell holds the sign alone, and the sets' names are turned.
MANY = 10
_NOTE_WIDTH, _NAME_WIDTH, _LONGEST_NAME, _ROW_PX, _NARROW_PX = 60, 13, 24, 36, 28


def verdict_grid_chart(
    table: pd.DataFrame, claims: Mapping[str, str], theme: str = "light", selected: str | None = None
) -> go.Figure:
    """A row per claim, a column per OOD set; a click reports row * columns + column as ``customdata``.

    Args:
        table: claim, ood ("" where a claim is about no set: one cell over the whole row), value, lo, hi, verdict,
            survives, note, n_id, n_ood.
        claims: claim -> what stands at its row.
        theme: "light" or "dark".
        selected: the claim to frame.
    """
    require_columns(
        table, ("claim", "ood", "value", "lo", "hi", "verdict", "survives", "note", "n_id", "n_ood"), "table of claims"
    )
    sets = list(dict.fromkeys(name for name in table["ood"] if name))
    rows = {(row["claim"], row["ood"]): row for row in table.fillna({"note": ""}).to_dict("records")}
    short, whole = len(sets) > MANY, [claim for claim in claims if (claim, "") in rows]
    grid = [[rows.get((claim, ood)) or rows[claim, ""] for ood in sets] for claim in claims]
    chart = number_grid_chart(
        [[VERDICT_STYLES[row["verdict"]].value for row in line] for line in grid],
        [["" if row["ood"] == "" else _bold(row, short) for row in line] for line in grid],
        [[_hover(row, claims) for row in line] for line in grid],
        ([f"{text}\u2002" for text in claims.values()], [_head(name, short) for name in sets]),
        SCALE,
        theme,
        row_px=_ROW_PX,
        selected=list(claims).index(selected) if selected in claims else None,
    )
    chart.data[-1].customdata = list(range(len(claims) * len(sets)))
    for claim in whole:
        _join(chart, list(claims).index(claim), rows[claim, ""], len(sets), theme)
    if short:
        _turn_heads(chart, sets)
    return chart


def _bold(row: Mapping, short: bool) -> str:
    text = cell_text(row, short)
    return f"<b>{text}</b>" if row["survives"] else text


def _hover(row: Mapping, claims: Mapping[str, str]) -> str:
    of = row["ood"] or "ID-test alone"
    lines = [line for text in verdict_lines(row) for line in textwrap.wrap(text, _NOTE_WIDTH)]
    return "<br>".join([f"<b>{claims[row['claim']]}</b>", of, *lines])


def _head(name: str, short: bool) -> str:
    name = textwrap.shorten(name, _LONGEST_NAME, placeholder=" …") if " " in name else name
    name = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
    return name if short else "<br>".join(textwrap.wrap(name, _NAME_WIDTH)[:2])


def _join(chart: go.Figure, position: int, row: Mapping, columns: int, theme: str) -> None:
    """One cell over the whole row: of a claim about no OOD set."""
    value = VERDICT_STYLES[row["verdict"]].value
    if math.isfinite(value) and columns > 1:
        scale, low, high = SCALE
        colour = scale[round(2 * (value - low) / (high - low))][1]
        chart.add_shape(
            type="rect",
            x0=0.4,
            x1=columns - 1.4,
            y0=position - 0.47,
            y1=position + 0.47,
            line={"width": 0},
            fillcolor=colour,
        )
    text = _bold(row, short=False) + (" on the ID images, with no OOD set" if columns > 3 else "")
    font = {"size": SMALL_PX, "color": text_colour(value, SCALE, palette(theme).muted)}
    chart.add_annotation(x=-0.38, xanchor="left", y=position, text=text, name=CELL_TEXT, font=font)


def _turn_heads(chart: go.Figure, sets: Sequence[str]) -> None:
    """Names that stand upright over narrow columns."""
    for note in chart.layout.annotations:
        if note.yref == "paper":
            note.update(textangle=-90)
    room = round(max(text_px(_head(name, True), SMALL_PX) for name in sets)) + 12
    height = chart.layout.height + room - HEAD_PX
    sizes = {"height": height, "least_px": chart.layout.margin.l + _NARROW_PX * len(sets)}
    chart.update_layout(height=height, margin={"t": room}, meta=chart.layout.meta | sizes)
