"""What AUROC must be, should be and is: dots on one fixed axis, so that they are seen to move together."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns, require_known
from cfs_explore.charts.lab_marks import COMBINATIONS, MARKS, mark_colour
from cfs_explore.charts.rows import row_chart, row_dot, row_rules, row_texts
from cfs_explore.charts.theme import palette
from cfs_explore.wording import format_estimate

_ROW_PX = 44


def lab_dots_chart(marks: pd.DataFrame, theme: str = "light") -> go.Figure:
    """One row per name, its label above it; all marks of a name on its row, on an AUROC axis from 0 to 1.

    Args:
        marks: columns name, kind (bound, prediction, exact or measured), auroc (NaN: nothing to draw), lo, hi (95 %
            interval or NaN), series (a combination of ``lab_marks.COMBINATIONS`` gives its colour; else the kind does).
    """
    require_columns(marks, ("name", "kind", "auroc", "lo", "hi", "series"), "lab's dots")
    require_known(marks["kind"], MARKS, "The 'kind' of a mark")
    colours, names = palette(theme), list(dict.fromkeys(marks["name"]))
    fig = row_chart(theme, len(names), _ROW_PX, {"l": 18, "r": 20, "t": 4, "b": 40}, spare_px=4)
    chance = {"color": colours.muted, "width": 2}
    shapes = row_rules(0, 1, len(names), colours.grid)
    shapes += [
        {"type": "line", "x0": 0.5, "x1": 0.5, "y0": row - 0.14, "y1": row + 0.14, "line": chance, "layer": "below"}
        for row in range(len(names))
    ]
    labels = []
    for row, name in enumerate(names):
        own = marks[marks["name"] == name].to_dict("records")
        labels.append(f"<b>{name}</b> {' · '.join(_numbers(mark, len(own) > 1) for mark in own)}")
        for mark in own:
            if math.isfinite(mark["auroc"]):
                fig.add_trace(_dot(mark, row, theme))
            if mark["kind"] == "bound" and math.isfinite(mark["auroc"]):  # all that it allows
                allowed = {"color": mark_colour("bound", theme), "width": 6}
                shapes.append(
                    {"type": "line", "x0": mark["auroc"], "x1": 1, "y0": row, "y1": row, "line": allowed}
                    | {"opacity": 0.35, "layer": "below"}
                )
    fig.update_layout(shapes=shapes, annotations=row_texts(labels))
    fig.update_xaxes(range=[0, 1.005], title_text="AUROC (tick: chance)", tickformat=".2~f", nticks=6)
    fig.update_yaxes(range=[len(names) - 0.55, -0.85])
    return fig


def _numbers(mark: Mapping, several: bool) -> str:
    text = format_estimate(mark["auroc"], mark["lo"], mark["hi"])
    return f"{mark['kind']} {text}" if several else text


def _dot(mark: Mapping, row: int, theme: str) -> go.Scatter:
    meaning, symbol, _ = MARKS[mark["kind"]]
    colour = mark_colour(mark["series"] if mark["series"] in COMBINATIONS else mark["kind"], theme)
    filled = mark["kind"] in ("measured", "bound")
    marker = {
        "symbol": symbol if filled else f"{symbol}-open",
        "size": 9 if filled else 16,
        "color": colour,
        "line": {"color": colour, "width": 2},
    }
    estimate, name = (mark["auroc"], mark["lo"], mark["hi"]), f"{mark['name']}, {mark['kind']}"
    return row_dot(
        row, estimate, marker, colour, name, f"<b>{mark['name']}</b><br>{_numbers(mark, False)}<br>{meaning}"
    )
