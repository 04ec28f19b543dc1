"""Detectors side by side: AUROC with its interval, and what an image costs."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns, require_known
from cfs_explore.charts.rows import axis_start, row_chart, row_dot, row_lines, row_rules, row_texts
from cfs_explore.charts.theme import ROLE_COLOURS, palette
from cfs_explore.wording import format_estimate, format_value

#: kind -> (marker symbol, filled with, what it means)
KINDS = {
    "preset": ("circle", "muted", "published setting"),
    "composed": ("diamond", "#E69F00", "composed here"),
    "honest": ("square", "#56B4E9", "best cell, picked on one half and judged on the other"),
    "rival": (
        "triangle-up",
        "muted",
        "best of the other detectors, on a sample of the images: biased upwards",
    ),
    "naive": ("circle-open", ROLE_COLOURS["control"], "naive maximum: biased upwards"),
}
_ROW_PX = 42


def detector_dots_chart(detectors: pd.DataFrame, theme: str = "light") -> go.Figure:
    """One row per detector, in the table's order from the top: its label above its dot and interval.

    Args:
        detectors: columns name, auroc, lo, hi (95 % interval), forwards (#F, backbone forwards per image),
            effective (cost counting early stops, in forwards; may be NaN), kind (a key of ``KINDS``).
    """
    require_columns(detectors, ("name", "auroc", "lo", "hi", "forwards", "effective", "kind"), "detector comparison")
    require_known(detectors["kind"], KINDS, "The 'kind' of a detector")
    colours, low, records = palette(theme), axis_start(detectors), detectors.to_dict("records")
    fig = row_chart(theme, len(records), _ROW_PX, {"l": 18, "r": 20, "t": 4, "b": 40})
    fig.add_traces([_dot(detector, row, colours.ink, colours.muted) for row, detector in enumerate(records)])
    shapes = row_rules(low, 1, len(records), colours.grid)
    if low < 0.5:
        shapes += row_lines(0.5, len(records), {"color": colours.muted, "width": 1, "dash": "dot"})
    labels = row_texts((f"<b>{each['name']}</b> {_numbers(each)}" for each in records), 9)
    fig.update_layout(shapes=shapes, annotations=labels)
    fig.update_xaxes(range=[low, 1.005], title_text="AUROC, 95 % interval", tickformat=".2~f", nticks=6)
    return fig


def _numbers(detector: Mapping) -> str:
    cost = f"#F {detector['forwards']:g}"
    if math.isfinite(detector["effective"]):
        cost += f" ({format_value(detector['effective'], 2)})"
    return f"{format_estimate(detector['auroc'], detector['lo'], detector['hi'])} · {cost}"


def _dot(detector: Mapping, row: int, ink: str, muted: str) -> go.Scatter:
    symbol, fill, meaning = KINDS[detector["kind"]]
    fill = muted if fill == "muted" else fill
    line_colour = fill if detector["kind"] == "naive" else ink
    marker = {"symbol": symbol, "size": 10, "color": fill, "line": {"color": line_colour, "width": 1.5}}
    about = f"<b>{detector['name']}</b><br>{_numbers(detector)}<br>{meaning}"
    estimate = detector["auroc"], detector["lo"], detector["hi"]
    return row_dot(row, estimate, marker, line_colour, detector["name"], about)
