"""Numbers over the steps of a training, a line each; the first weights, of step 0, stand at the left."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import FigureDataError, require_columns
from cfs_explore.charts.marks import flat_legend, hovers, limits
from cfs_explore.charts.theme import CATEGORY_COLOURS, ROLE_COLOURS, Palette, new_chart, palette

X_TITLE = "Steps of the training (logarithmic; 0: first weights)"
_HEIGHT, _MOST_LABELS = 340, 6


class _Style(NamedTuple):
    """Of a line; a colour of None is the page's ink. ``aside``: how far its marks stand beside those of others."""

    dash: str
    symbol: str
    colour: str | None
    aside: float


_STYLES = {
    "best": _Style("solid", "circle", CATEGORY_COLOURS[1], 0.0),
    "pair": _Style("dash", "square", CATEGORY_COLOURS[0], -0.08),
    "mean": _Style("dot", "diamond", None, 0.08),
    "copies": _Style("dashdot", "x", ROLE_COLOURS["control"], 0.16),
}


def training_lines_chart(
    rows: pd.DataFrame, names: Mapping[str, str], title: str, level: float, chosen: int, theme: str = "light"
) -> go.Figure:
    """A line with 95 % intervals for each series over the steps.

    Args:
        rows: a row per series and step: series (a key of ``names``), step (0 or more), value with lo and hi (NaN where
            there are none), hover.
        names: series ("best", "pair", "mean", "copies") -> what the legend calls it, in its order.
        title: of the axis of the values.
        level: value at which a dotted line stands: chance, or no difference.
        chosen: step that is marked by a vertical line.
        theme: light or dark.
    """
    require_columns(rows, ("series", "step", "value", "lo", "hi", "hover"), "numbers along the training")
    if rows.empty or rows.duplicated(["series", "step"]).any():
        raise FigureDataError("The table of numbers along the training must have each step once, and at least one.")
    places, colours = step_places(sorted(set(rows["step"]))), palette(theme)
    fig = new_chart(
        theme,
        height=_HEIGHT,
        meta={"kind": "wide"},
        hovermode="closest",
        legend=flat_legend(1.0),
        margin={"l": 62, "r": 16, "t": 36, "b": 48},
    )
    shown = [series for series in names if (rows["series"] == series).any()]
    fig.add_traces([_line(rows[rows["series"] == each], each, names[each], places, colours) for each in shown])
    rule = {"type": "line", "layer": "below", "line": {"color": colours.muted, "width": 1, "dash": "dot"}}
    across = rule | {"xref": "paper", "x0": 0, "x1": 1, "y0": level, "y1": level}
    place = places.get(chosen, 0.0)
    upright = rule | {"yref": "paper", "y0": 0, "y1": 1, "x0": place, "x1": place, "name": "chosen step"}
    fig.update_layout(shapes=[across, upright | {"line": {"color": colours.muted, "width": 1.5}}])
    ticks = _labelled(places)
    fig.update_xaxes(
        range=[-0.5, max(places.values()) + 0.5],
        tickvals=[places[step] for step in ticks],
        ticktext=[f"{step:,}" for step in ticks],
        title_text=X_TITLE,
        ticks="outside",
        showline=True,
        tickangle=0,
        fixedrange=True,
    )
    fig.update_yaxes(title_text=title, tickformat=".2~f", showgrid=True, fixedrange=True, nticks=7)
    return fig


def step_places(steps: Sequence[int]) -> dict[int, float]:
    """Step -> place on the axis: doublings from the first after 0, which stands one doubling to the left of it."""
    first = next((step for step in steps if step), 1)
    return {step: math.log2(step / first) + 1 if step else 0.0 for step in steps}


def _labelled(places: Mapping[int, float]) -> list[int]:
    """Those steps that have a label: the first, the last, and of the others those that are far enough from these."""
    first, *others = sorted(places)
    room = max(places.values()) / _MOST_LABELS
    found: list[int] = []
    for step in reversed(others):
        if not found or places[found[-1]] - places[step] >= room <= places[step] - places[first]:
            found.append(step)
    return [first, *reversed(found)]


def _line(rows: pd.DataFrame, series: str, name: str, places: Mapping[int, float], colours: Palette) -> go.Scatter:
    style, rows = _STYLES[series], rows.sort_values("step")
    colour = style.colour or colours.ink
    return go.Scatter(
        x=[places[step] + style.aside for step in rows["step"]],
        y=[None if pd.isna(value) else value for value in rows["value"]],
        error_y=limits(rows["value"], rows["lo"], rows["hi"], colour, 1.5),
        mode="lines+markers",
        name=name,
        line={"color": colour, "width": 2, "dash": style.dash},
        marker={"symbol": style.symbol, "size": 7, "color": colour},
        **hovers(rows["hover"]),
    )
