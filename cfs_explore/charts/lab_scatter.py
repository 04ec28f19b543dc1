"""Encoder score against decoder score of simulated images, and the lines at which two combinations part them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.lab_marks import COMBINATIONS, mark_colour
from cfs_explore.charts.marks import flat_legend, hovers
from cfs_explore.charts.theme import ROLE_COLOURS, new_chart, palette
from cfs_explore.wording import format_value

_CLASSES = (("id", "ID", "circle", "solid"), ("ood", "OOD", "diamond-open", "dash"))
#: Radius of the ellipses in standard deviations: 86 % of a normal cloud lie within.
RADIUS = 2.0


def pair_scatter_chart(
    images: pd.DataFrame,
    clouds: Mapping[str, tuple[np.ndarray, np.ndarray]],
    weights: Mapping[str, np.ndarray],
    theme: str = "light",
) -> go.Figure:
    """Two clouds with their ellipses, an arrow between their means, and one separating line per combination.

    Args:
        images: columns kind (id or ood), encoder, decoder: the scores.
        clouds: kind -> mean (2,) and covariance (2, 2) that its ellipse shows.
        weights: combination -> weights (2,) of encoder and decoder; its line runs across them through the middle of
            the means. All zero: no line.
    """
    require_columns(images, ("kind", "encoder", "decoder"), "lab's scatter")
    fig = new_chart(
        theme,
        height=380,
        meta={"kind": "square"},
        margin={"l": 56, "r": 16, "t": 52, "b": 48},
        hovermode="closest",
        legend=flat_legend(1.02),
    )
    for kind, name, symbol, dash in _CLASSES:
        own, colour = images[images["kind"] == kind], ROLE_COLOURS[kind]
        fig.add_trace(_points(own, name, colour, symbol))
        x, y = _ellipse(*clouds[kind])
        line = {"color": colour, "width": 2, "dash": dash}
        fig.add_trace(
            go.Scatter(x=x, y=y, mode="lines", line=line, name=f"{name} ellipse", showlegend=False, hoverinfo="skip")
        )
    ranges = _ranges(clouds)
    (mean_id, _), (mean_ood, _) = clouds["id"], clouds["ood"]
    for combination, own in weights.items():
        ends = _line((mean_id + mean_ood) / 2, np.asarray(own), ranges)
        if ends is not None:
            fig.add_trace(_separating(combination, ends, theme))
    ink = palette(theme).ink
    if np.any(mean_ood != mean_id):
        head = {"x": mean_ood[0], "y": mean_ood[1], "ax": mean_id[0], "ay": mean_id[1], "axref": "x", "ayref": "y"}
        fig.add_annotation(**head, showarrow=True, arrowhead=2, arrowwidth=2, arrowcolor=ink, text="")
    fig.update_xaxes(title_text="Encoder score", range=ranges[0], showgrid=True, nticks=7)
    fig.update_yaxes(title_text="Decoder score", range=ranges[1], showgrid=True, nticks=7)
    return fig


def _points(images: pd.DataFrame, name: str, colour: str, symbol: str) -> go.Scatter:
    return go.Scatter(
        x=images["encoder"].tolist(),
        y=images["decoder"].tolist(),
        mode="markers",
        name=name,
        marker={"symbol": symbol, "size": 6, "color": colour, "opacity": 0.6},
        **hovers(
            f"<b>{name}</b><br>encoder {format_value(row.encoder, 2)}<br>decoder {format_value(row.decoder, 2)}"
            for row in images.itertuples()
        ),
    )


def _separating(combination: str, ends: np.ndarray, theme: str) -> go.Scatter:
    name, dash = COMBINATIONS[combination]
    return go.Scatter(
        x=ends[:, 0].tolist(),
        y=ends[:, 1].tolist(),
        mode="lines",
        name=f"{name}: cut",
        line={"color": mark_colour(combination, theme), "width": 2, "dash": dash},
        hoverinfo="skip",
    )


def _ellipse(mean: np.ndarray, covariance: np.ndarray) -> tuple[list[float], list[float]]:
    angle = np.linspace(0, 2 * np.pi, 73)
    x, y = mean[:, None] + RADIUS * np.linalg.cholesky(covariance) @ [np.cos(angle), np.sin(angle)]
    return x.tolist(), y.tolist()


def _ranges(clouds: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> list[list[float]]:
    """Both axes, wide enough for 3 standard deviations of either cloud."""
    low = np.min([mean - 3 * np.sqrt(np.diag(covariance)) for mean, covariance in clouds.values()], axis=0)
    high = np.max([mean + 3 * np.sqrt(np.diag(covariance)) for mean, covariance in clouds.values()], axis=0)
    return [[float(a), float(b)] for a, b in zip(low, high, strict=True)]


def _line(middle: np.ndarray, weights: np.ndarray, ranges: list[list[float]]) -> np.ndarray | None:
    """Two far ends of the line w'x = w'middle, (2, 2)."""
    length = np.hypot(*weights)
    if length == 0:
        return None
    across = np.array([-weights[1], weights[0]]) / length
    reach = 2 * max(hi - lo for lo, hi in ranges)
    return np.stack([middle - reach * across, middle + reach * across])
