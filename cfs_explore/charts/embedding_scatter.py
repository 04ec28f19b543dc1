"""Images as points: two coordinates of their snapshots, coloured by set, label, or a number."""

from __future__ import annotations

import html
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import FigureDataError, require_columns
from cfs_explore.charts.marks import flat_legend, hovers
from cfs_explore.charts.theme import CATEGORY_COLOURS, ROLE_COLOURS, new_chart, palette
from cfs_explore.wording import format_digits

#: OOD sets in their order: the role's colour first, then those without a role; shapes tell apart what colours cannot.
OOD_COLOURS = (ROLE_COLOURS["ood"], *CATEGORY_COLOURS)
OOD_SYMBOLS = ("diamond", "triangle-up", "square", "cross", "x", "triangle-down", "star", "pentagon")
ID_SYMBOL = "circle"
#: Paul Tol's bright scheme: labels have no role, so they take none of the roles' colours.
LABEL_COLOURS = ("#4477AA", "#EE6677", "#228833", "#AA3377", "#CCBB44", "#66CCEE")
LABEL_SYMBOLS = ("circle", "square", "triangle-up", "diamond", "cross", "x", "star", "pentagon")
#: Labels beyond the most frequent ones share one mark.
MOST_LABELS = 12
OTHER_LABELS = "other labels"
#: Plasma without its darkest and lightest ends, which one of the two pages would hide.
_NUMBER_SCALE = ("#7E03A8", "#A72197", "#CC4778", "#E56B5D", "#F89540")
#: Colours end at these percentiles, or a few outliers would make all others look alike.
COLOUR_PERCENTILES = (2, 98)
#: Modebar tools that this figure needs none of; those to select and to move stay.
_UNUSED_TOOLS = ["zoomIn2d", "zoomOut2d", "autoScale2d"]
_HEIGHT_PX, _SIZE_PX, _FRAME_PX, _FADED = 560, 7, 18, 0.12
_COLUMNS = ("row", "role", "dataset", "name", "label", "score", "x", "y")


@dataclass(frozen=True)
class Colouring:
    """What the points' colour says.

    Attributes:
        column: of the points: "dataset", "label", or a column of numbers.
        title: of the colour bar, for numbers.
    """

    column: str
    title: str = ""

    @property
    def is_number(self) -> bool:
        return self.column not in ("dataset", "label")


def embedding_scatter_chart(
    points: pd.DataFrame,
    colouring: Colouring,
    axes: tuple[str, str] | None = None,
    *,
    selected: Collection[int] | None = None,
    picked: int | None = None,
    theme: str = "light",
) -> go.Figure:
    """WebGL scatter of images with equal axes; a point's ``customdata`` is its image's ``row``.

    Every set has its shape. Coloured by label, the shape is the label's, filled for ID and open for OOD.

    Args:
        points: one row per image: row (unique), role ("id_test" or "ood"), dataset, name, label, score, x, y, and the
            column of ``colouring``; a number may be missing (grey).
        colouring: what colours mean.
        axes: titles of x and y; None where the axes mean nothing (UMAP).
        selected: rows drawn as chosen, the others faded; None fades none.
        picked: row of the image that gets a frame.
    """
    require_columns(points, (*_COLUMNS, colouring.column), "scatter of images")
    if points["row"].duplicated().any():
        raise FigureDataError("The column 'row' of the scatter of images must be unique.")
    fig = new_chart(
        theme,
        height=_HEIGHT_PX,
        meta={"kind": "square"},
        margin={"l": 48 if axes else 12, "r": 12, "t": 56, "b": 44 if axes else 12},
        hovermode="closest",
        dragmode="select",
        modebar={"remove": _UNUSED_TOOLS},
        legend=flat_legend() | {"itemsizing": "constant"},
    )
    chosen = None if selected is None else set(selected)
    if colouring.is_number:
        _add_numbers(fig, points, colouring, chosen, palette(theme).muted)
    elif colouring.column == "label":
        _add_labels(fig, points, chosen)
    else:
        marks = set_marks(points)
        for which, part in _by_set(points):
            colour, symbol = marks[which]
            _add_points(fig, part, _set_name(part), {"color": colour, "symbol": symbol}, chosen)
    _add_frame(fig, points, picked, palette(theme).ink)
    line = {"showticklabels": axes is not None, "showgrid": False, "zeroline": False}
    fig.update_xaxes(title_text=axes[0] if axes else None, **line)
    fig.update_yaxes(title_text=axes[1] if axes else None, scaleanchor="x", scaleratio=1, **line)
    return fig


def set_marks(points: pd.DataFrame) -> dict[tuple[str, str], tuple[str, str]]:
    """(role, dataset) -> colour and symbol; OOD sets in the order of their points."""
    oods = points.loc[points["role"] == "ood", "dataset"].unique()
    marks = {
        ("ood", name): (OOD_COLOURS[i % len(OOD_COLOURS)], OOD_SYMBOLS[i % len(OOD_SYMBOLS)])
        for i, name in enumerate(oods)
    }
    return marks | {which: (ROLE_COLOURS["id"], ID_SYMBOL) for which, _ in _by_set(points) if which[0] != "ood"}


def _by_set(points: pd.DataFrame) -> Sequence[tuple[tuple[str, str], pd.DataFrame]]:
    return list(points.groupby(["role", "dataset"], sort=False))


def _set_name(part: pd.DataFrame) -> str:
    first = part.iloc[0]
    return f"{html.escape(str(first['dataset']), quote=False)} ({'ID' if first['role'] == 'id_test' else 'OOD'})"


def _add_labels(fig: go.Figure, points: pd.DataFrame, chosen: set[int] | None) -> None:
    """A colour and a shape for each of the most frequent labels, filled for ID and open for OOD."""
    labels = points["label"].astype(str).where(points["label"].astype(str) != "", "no label")
    frequent = list(labels.value_counts().sort_index().sort_values(ascending=False, kind="stable").index[:MOST_LABELS])
    kinds = labels.where(labels.isin(frequent), OTHER_LABELS)
    for i, label in enumerate([*sorted(frequent), OTHER_LABELS]):
        colour, symbol = LABEL_COLOURS[i % len(LABEL_COLOURS)], LABEL_SYMBOLS[i % len(LABEL_SYMBOLS)]
        if label == OTHER_LABELS:
            colour, symbol = ROLE_COLOURS["control"], "circle"
        here, shown = points[kinds == label], False
        for role, kind in (("id_test", symbol), ("ood", f"{symbol}-open")):
            part = here[here["role"] == role]
            if len(part):
                marker = {"color": colour, "symbol": kind}
                name = html.escape(label, quote=False)
                _add_points(fig, part, name, marker, chosen, legendgroup=label, showlegend=not shown)
                shown = True


def _add_numbers(
    fig: go.Figure, points: pd.DataFrame, colouring: Colouring, chosen: set[int] | None, muted: str
) -> None:
    """Colours along a scale; the legend tells the sets' shapes without a colour."""
    numbers = points[colouring.column].to_numpy(dtype=float)
    known = numbers[np.isfinite(numbers)]
    low, high = np.percentile(known, COLOUR_PERCENTILES) if known.size else (0.0, 1.0)
    marks = set_marks(points)
    for which, part in _by_set(points):
        symbol = marks[which][1]
        finite = np.isfinite(part[colouring.column].to_numpy(dtype=float))
        for rows, colour in ((part[finite], {"coloraxis": "coloraxis"}), (part[~finite], {"color": muted})):
            if len(rows):
                values = {"color": rows[colouring.column].astype(float).tolist()} if "coloraxis" in colour else {}
                about = [f"{colouring.title}: {format_digits(value, 4)}" for value in values.get("color", [])]
                marker = {"symbol": symbol, **values, **colour}
                _add_points(fig, rows, _set_name(part), marker, chosen, about=about, showlegend=False)
        fig.add_trace(
            go.Scattergl(
                x=[None],
                y=[None],
                mode="markers",
                name=_set_name(part),
                marker={"color": muted, "symbol": symbol, "size": _SIZE_PX},
                hoverinfo="skip",
                meta="legend",
            )
        )
    fig.update_layout(
        coloraxis={
            "colorscale": [[i / (len(_NUMBER_SCALE) - 1), colour] for i, colour in enumerate(_NUMBER_SCALE)],
            "cmin": float(low),
            "cmax": float(high) if high > low else float(low) + 1,
            "colorbar": {"title": {"text": colouring.title, "side": "right"}, "thickness": 10, "outlinewidth": 0},
        }
    )


def _add_points(
    fig: go.Figure,
    rows: pd.DataFrame,
    name: str,
    marker: dict,
    chosen: set[int] | None,
    *,
    about: Sequence[str] = (),
    **legend: object,
) -> None:
    keys = [int(row) for row in rows["row"]]
    hover = [_hover(row) for row in rows.to_dict("records")]
    fig.add_trace(
        go.Scattergl(
            x=[round(float(value), 5) for value in rows["x"]],
            y=[round(float(value), 5) for value in rows["y"]],
            mode="markers",
            name=name,
            marker={"size": _SIZE_PX, "opacity": 0.8, **marker},
            selected={"marker": {"opacity": 0.95}},
            unselected={"marker": {"opacity": _FADED}},
            selectedpoints=None if chosen is None else [i for i, key in enumerate(keys) if key in chosen],
            customdata=keys,
            **hovers(f"{text}<br>{more}" for text, more in zip(hover, about, strict=True)) if about else hovers(hover),
            **legend,
        )
    )


def _hover(row: Mapping) -> str:
    """Plotly reads tags, and names come from users."""
    name, dataset, label = (html.escape(str(row[key]), quote=False) for key in ("name", "dataset", "label"))
    score = format_digits(row["score"], 4) if math.isfinite(row["score"]) else "n/a"
    parts = [f"<b>{name}</b>", f"{dataset} ({'ID' if row['role'] == 'id_test' else 'OOD'})"]
    return "<br>".join([*parts, *([f"label {label}"] if label else []), f"score {score}"])


def _add_frame(fig: go.Figure, points: pd.DataFrame, picked: int | None, ink: str) -> None:
    """An annotation: traces and shapes would lie below what WebGL draws as selected."""
    for row in points[points["row"] == picked].to_dict("records"):
        fig.add_annotation(
            x=float(row["x"]),
            y=float(row["y"]),
            text=" ",
            width=_FRAME_PX,
            height=_FRAME_PX,
            borderwidth=2.5,
            bordercolor=ink,
            showarrow=False,
            name="picked image",
        )
