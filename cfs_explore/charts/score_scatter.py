"""Two scores of the same images against each other, with what their average calls equal."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.log_axis import log_ticks
from cfs_explore.charts.marks import flat_legend, hovers
from cfs_explore.charts.theme import ROLE_COLOURS, new_chart, palette
from cfs_explore.wording import format_digits, format_value

#: Points drawn per class; more would hide each other and slow the page.
MOST_POINTS = 2000
#: Iso-lines of the average besides that of its threshold.
_ISO_LINES = 6
_STEPS = 120
_CLASSES = (("ID", "id", "circle", 5), ("OOD", "ood", "diamond-open", 7))


def score_scatter_chart(
    points: pd.DataFrame,
    thresholds: Mapping[str, float],
    labels: tuple[str, str],
    *,
    names: tuple[str, str] = ("encoder", "decoder"),
    theme: str = "light",
    log: bool = False,
) -> go.Figure:
    """Decoder against encoder score, ID and OOD, with iso-lines of their average and the 95 %-ID thresholds.

    Args:
        points: class ("ID" or "OOD"), encoder, decoder (slot scores) and name (of the image, shown on hover).
        thresholds: encoder, decoder and average: above its own, a score calls an image OOD.
        labels: of the axes. names: what the legend calls the two scores.
        log: logarithmic axes, for scores above 0. The iso-lines of the plain average are straight without.
    """
    require_columns(points, ("class", "encoder", "decoder", "name"), "scatter of two scores")
    colours = palette(theme)
    fig = new_chart(
        theme,
        height=540,
        meta={"kind": "square"},
        margin={"l": 60, "r": 16, "t": 64, "b": 50},
        hovermode="closest",
        dragmode="pan",
        legend=flat_legend() | {"itemsizing": "constant"},
    )
    ranges = {side: _range(points[side], thresholds[side], log) for side in ("encoder", "decoder")}
    for level in _iso_levels(points, log):
        _add_iso_line(fig, level, ranges, log, {"color": colours.grid, "width": 1.2}, None)
    for name, role, symbol, size in _CLASSES:
        _add_points(fig, points[points["class"] == name], name, ROLE_COLOURS[role], symbol, size)
    line = {"color": colours.ink, "width": 1.8}
    _add_iso_line(fig, thresholds["average"], ranges, log, line, "95 % of ID: average")
    sides = ("encoder", "decoder")
    for side, name, dash in zip(sides, names, ("dash", "dot"), strict=True):
        _add_threshold(fig, side, name, thresholds[side], ranges, dash)
    for side, update, label in zip(sides, (fig.update_xaxes, fig.update_yaxes), labels, strict=True):
        low, high = ranges[side]
        axis = {"range": [low, high], "title_text": label, "showline": True}
        if log:
            axis |= {"type": "log", "range": [math.log10(low), math.log10(high)], **_ticks(low, high)}
        update(**axis)
    return fig


def _range(values: pd.Series, threshold: float, log: bool) -> tuple[float, float]:
    """Limits of an axis with a margin around all points and the threshold."""
    low, high = min(values.min(), threshold), max(values.max(), threshold)
    if log:
        margin = max((high / low) ** 0.04, 1.02)
        return float(low / margin), float(high * margin)
    margin = 0.04 * (high - low) or 1.0
    return float(low - margin), float(high + margin)


def _iso_levels(points: pd.DataFrame, log: bool) -> np.ndarray:
    """Values of the average, evenly spaced on the axes' scale over the images."""
    average = points[["encoder", "decoder"]].mean(axis=1)
    low, high = float(average.min()), float(average.max())
    if not high > low:
        return np.empty(0)
    spaced = np.geomspace(low, high, _ISO_LINES + 2) if log else np.linspace(low, high, _ISO_LINES + 2)
    return spaced[1:-1]


def _add_iso_line(
    fig: go.Figure, level: float, ranges: Mapping[str, tuple[float, float]], log: bool, line: dict, name: str | None
) -> None:
    """Where (encoder + decoder) / 2 = level, inside the axes."""
    (left, right), (bottom, top) = ranges["encoder"], ranges["decoder"]
    left, right = max(left, 2 * level - top), min(right, 2 * level - bottom)
    if not right > left:
        return
    x = np.geomspace(left, right, _STEPS) if log else np.array([left, right])
    about = f"average {format_value(level)}"
    fig.add_trace(
        go.Scatter(
            x=x.tolist(),
            y=np.clip(2 * level - x, bottom, top).tolist(),  # rounding may leave the axes
            mode="lines",
            line=line,
            name=name or about,
            showlegend=name is not None,
            hovertemplate=f"{name or 'iso-line'}: {about}<extra></extra>",
            meta="iso-line",
        )
    )


def _add_points(fig: go.Figure, rows: pd.DataFrame, name: str, colour: str, symbol: str, size: int) -> None:
    shown = rows.iloc[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST_POINTS)).round().astype(int))]
    fig.add_trace(
        go.Scatter(
            x=shown["encoder"].tolist(),
            y=shown["decoder"].tolist(),
            mode="markers",
            name=name,
            marker={"color": colour, "symbol": symbol, "size": size, "opacity": 0.8, "line": {"width": 1.2}},
            **hovers(
                f"<b>{name}</b> {html.escape(str(image), quote=False)}<br>"  # plotly reads tags
                f"encoder {format_digits(encoder)}<br>decoder {format_digits(decoder)}"
                for image, encoder, decoder in zip(shown["name"], shown["encoder"], shown["decoder"], strict=True)
            ),
        )
    )


def _add_threshold(
    fig: go.Figure, side: str, name: str, value: float, ranges: Mapping[str, tuple[float, float]], dash: str
) -> None:
    """A line across the other axis; a trace, so that the legend says what it is."""
    along, across = [value, value], list(ranges["decoder" if side == "encoder" else "encoder"])
    x, y = (along, across) if side == "encoder" else (across, along)
    fig.add_trace(
        go.Scatter(
            x=x,
            y=y,
            mode="lines",
            line={"color": ROLE_COLOURS[side], "width": 2, "dash": dash},
            name=f"95 % of ID: {name}",
            hovertemplate=f"95 % of the ID images are below: {name} {format_value(value)}<extra></extra>",
            meta="threshold",
        )
    )


def _ticks(low: float, high: float) -> dict:
    """Round ticks on a logarithmic axis: 1, 2, 5 of each decade, or more where the axis spans little."""
    wide = high / low > 300
    steps = (1,) if high / low > 1e4 else (1, 3) if wide else (1, 2, 5) if high / low > 6 else (1, 1.5, 2, 3, 4, 5, 7)
    return log_ticks(math.floor(math.log10(low)), math.ceil(math.log10(high)), steps) | {"minor": {"ticks": ""}}
