"""Every pair of taps at one level: what averaging two is worth beside the better one alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.colour_scale import colour_scale
from cfs_explore.charts.errors import FigureDataError, require_columns
from cfs_explore.charts.map_grid import region_groups
from cfs_explore.charts.map_heatmap import colour_bar, outline, region_brackets, region_names
from cfs_explore.charts.marks import CLICKABLE, click_layer
from cfs_explore.charts.tap_names import short_tap_name, tick_label
from cfs_explore.charts.theme import BASE_FONT_PX, new_chart, text_px
from cfs_explore.contracts import Tap
from cfs_explore.wording import format_value

_CELL_PX = 17
#: More tap names than this would run into each other below the matrix; each row keeps its own.
_MOST_TICKS = 40
#: The colour scale reaches at least this far, so that a level without gains looks like one.
_LEAST_REACH = 0.02


def pair_matrix_chart(
    pairs: pd.DataFrame, taps: Sequence[Tap], theme: str = "light", selected: tuple[str, str] | None = None
) -> go.Figure:
    """Symmetric heatmap of AUROC(pair) - best single, tap by tap, on a diverging scale centred on 0.

    Args:
        pairs: of one OOD set and level: tap_a, tap_b (names), auroc, gain, best_single, straddles.
        taps: all taps in order of execution.
        selected: names of a pair to outline.

    A click on a cell reports row * T + column as ``customdata``, positions in ``taps``.
    """
    require_columns(pairs, ("tap_a", "tap_b", "auroc", "gain", "best_single", "straddles"), "matrix of pairs")
    index = {tap.name: position for position, tap in enumerate(taps)}
    if not set(pairs["tap_a"]) | set(pairs["tap_b"]) <= set(index):
        raise FigureDataError("The matrix of pairs has taps that are not among the run's taps.")
    groups, place = region_groups([tap.region for tap in taps])
    reach = max(float(pairs["gain"].abs().max()), _LEAST_REACH)
    ticks = [tick_label(tap.name) for tap in taps]
    small = BASE_FONT_PX * 11 / 13
    room = round(max(text_px(label, small) for label in ticks))
    span = float(place[-1] - place[0] + 1)
    fig = new_chart(
        theme,
        height=round(_CELL_PX * span + 34 + room + 16),
        coloraxis=_colour_axis(reach),
        meta={"kind": "map", "span": span, "rows": span},
        margin={"l": room + 24, "r": 70, "t": 34, "b": room + 16},
        hoverdistance=40,
        showlegend=False,
        **CLICKABLE,
    )
    rows = list(zip(pairs["tap_a"].map(index), pairs["tap_b"].map(index), pairs.to_dict("records"), strict=True))
    fig.add_trace(_heat(rows, place))
    fig.add_trace(_click_layer(rows, place, taps))
    chosen = [] if selected is None else _outlines(*(index[name] for name in selected), place)
    fig.update_layout(shapes=region_brackets(groups, place, 3, 7) + chosen, annotations=region_names(groups, place))
    every = -(-len(taps) // _MOST_TICKS)
    x_ticks = {"tickvals": place[::every].tolist(), "ticktext": ticks[::every], "tickangle": -90}
    axis = {"tickfont": {"size": small}, "fixedrange": True}
    fig.update_xaxes(range=[place[0] - 0.55, place[-1] + 0.55], **x_ticks, **axis)
    fig.update_yaxes(range=[place[-1] + 0.55, place[0] - 0.55], tickvals=place.tolist(), ticktext=ticks, **axis)
    return fig


def _colour_axis(reach: float) -> dict:
    ticks = [-reach, -reach / 2, 0.0, reach / 2, reach]
    return {
        "cmin": -reach,
        "cmax": reach,
        "colorscale": colour_scale(0.5),
        "colorbar": colour_bar(
            "AUROC of the pair − better one", ticks, [format_value(tick, 2 if reach >= 0.1 else 3) for tick in ticks]
        ),
    }


def _heat(rows: list, place: np.ndarray) -> go.Heatmap:
    """Coloured cells on edges that leave the gaps between regions and the diagonal empty."""
    starts, ends = place - 0.5, place + 0.5
    edges = np.unique(np.concatenate([starts, ends]))
    column = np.searchsorted(edges, starts)  # of the cell that begins there
    z = np.full((edges.size - 1, edges.size - 1), np.nan)
    for a, b, row in rows:
        z[column[a], column[b]] = z[column[b], column[a]] = row["gain"]
    return go.Heatmap(
        x=edges.tolist(),
        y=edges.tolist(),
        z=[[None if np.isnan(value) else float(value) for value in line] for line in z],
        coloraxis="coloraxis",
        hoverinfo="skip",
        xgap=1,
        ygap=1,
    )


def _click_layer(rows: list, place: np.ndarray, taps: Sequence[Tap]) -> go.Scatter:
    """Invisible centres that answer hover and click, as in ``map_heatmap``."""
    x, y, cells, texts = [], [], [], []
    for a, b, row in rows:
        where = "straddles the bottleneck" if row["straddles"] else "does not straddle the bottleneck"
        text = (
            f"<b>{short_tap_name(taps[a].name)} + {short_tap_name(taps[b].name)}</b><br>AUROC "
            f"{format_value(row['auroc'])}, better one alone {format_value(row['best_single'])}<br>"
            f"gain {format_value(row['gain'], 4)}; {where}"
        )
        for i, j in ((a, b), (b, a)):
            x.append(float(place[j]))
            y.append(float(place[i]))
            cells.append(int(i * len(taps) + j))
            texts.append(text)
    return click_layer(x, y, texts, customdata=cells)


def _outlines(a: int, b: int, place: np.ndarray) -> list[dict]:
    """The chosen pair, on both sides of the diagonal."""
    cells = [(float(place[i]), float(place[j])) for i, j in ((b, a), (a, b))]
    return [shape for x, y in cells for shape in outline(x, y, "selected pair")]
