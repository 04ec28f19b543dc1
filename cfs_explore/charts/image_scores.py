"""One image's score by a few detectors, each beside the ID-test distribution of that detector."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.log_axis import log_ticks
from cfs_explore.charts.rows import row_chart, row_lines, row_texts
from cfs_explore.charts.theme import ROLE_COLOURS, palette
from cfs_explore.wording import counted, format_value, p_text

_ROW_PX = 52
_COLUMNS = ("name", "score", "draws", "percentile", "p_value", "n_id")
_QUANTILES = ("id_q05", "id_q25", "id_median", "id_q75", "id_q95")


def image_scores_chart(rows: pd.DataFrame, role: str = "ood", theme: str = "light") -> go.Figure:
    """One row per detector on a shared logarithmic axis, score / ID-test median: bars hold the middle 90 % and 50 % of
    ID-test, small dots are the noise draws, the large one is their mean.

    Args:
        rows: of ``diagnostics.detector_profile``, with a name: score, draws (list), percentile, p_value, n_id, and the
            quantiles id_q05, id_q25, id_median, id_q75, id_q95. A row with scores that are not above 0 is text alone.
        role: of the image, "id" or "ood", for its colour.
    """
    require_columns(rows, (*_COLUMNS, *_QUANTILES), "scores of an image")
    colours, records, seen = palette(theme), rows.to_dict("records"), [1.0]
    fig = row_chart(theme, len(records), _ROW_PX, {"l": 8, "r": 12, "t": 6, "b": 44}, above=0.7)
    for position, row in enumerate(records):
        relative = np.array([*(row[q] for q in _QUANTILES), row["score"], *row["draws"]]) / (row["id_median"] or np.nan)
        if np.isfinite(relative).all() and (relative > 0).all():
            fig.add_traces(_traces(row, relative, position, ROLE_COLOURS[role]))
            seen += relative.tolist()
    fig.update_layout(
        shapes=row_lines(1, len(records), {"color": colours.muted, "width": 1, "dash": "dot"}),
        annotations=row_texts(map(_text, records), 9, bgcolor=colours.page, borderpad=1),
    )
    low, high = math.log10(min(seen)), math.log10(max(seen))
    pad = 0.04 * (high - low) + 0.02
    steps = (1, 2, 5) if high - low <= 2 else (1,)
    fig.update_xaxes(
        type="log",
        range=[low - pad, high + pad],
        **log_ticks(math.floor(low) - 1, math.ceil(high), steps),
        title_text="Score ÷ ID-test median",
        fixedrange=True,
    )
    return fig


def _text(row: Mapping) -> str:
    return f"<b>{row['name']}</b> percentile {format_value(row['percentile'], 1)} · {p_text(row['p_value'])}"


def _traces(row: Mapping, relative: np.ndarray, position: int, colour: str) -> list[go.Scatter]:
    q05, q25, _, q75, q95, score, *draws = relative.tolist()
    id_colour = ROLE_COLOURS["id"]
    about = (
        f"{_text(row)}<br>score {format_value(row['score'])}, {counted(len(draws), 'draw')}<br>"
        f"ID-test median {format_value(row['id_median'])}, middle 90 % {format_value(row['id_q05'])} to "
        f"{format_value(row['id_q95'])}, n = {format_value(row['n_id'], 0)}<extra></extra>"
    )
    bars = [
        go.Scatter(
            x=[start, stop],
            y=[position, position],
            mode="lines",
            line={"color": id_colour, "width": width},
            opacity=opacity,
            hovertemplate=about,
        )
        for start, stop, width, opacity in ((q05, q95, 5, 0.45), (q25, q75, 5, 0.9))
    ]
    small = {"symbol": "circle-open", "size": 7, "color": colour, "line": {"width": 1.5}}
    dots = go.Scatter(x=draws, y=[position] * len(draws), mode="markers", marker=small, hovertemplate=about)
    large = {"symbol": "diamond", "size": 12, "color": colour}
    return [
        *bars,
        dots,
        go.Scatter(x=[score], y=[position], mode="markers", name=row["name"], marker=large, hovertemplate=about),
    ]
