"""The curves by which levels can be aligned: expected score magnitude and visible change along the noise (theory 1)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import FigureDataError, require_columns
from cfs_explore.charts.marks import hovers, wide_chart
from cfs_explore.charts.noise_lines import band, faint, noise_axis
from cfs_explore.charts.theme import CATEGORY_COLOURS, ROLE_COLOURS, palette
from cfs_explore.wording import counted, format_estimate, format_value

#: kind -> title of the axis.
KINDS = {
    "score_norm": "E|ε̂|²/dim:<br>0: no noise predicted, 1: all of its size",
    "perceptual": "mean 1 − SSIM<br>of x<sub>λ</sub>/a against x₀",
}
_HEIGHT = 380
_Z95 = 1.959964
#: Dashed lines are drawn over the solid one, so that equal curves both show.
_STYLES = ({"width": 3, "dash": "solid"}, {"width": 2, "dash": "dash"}, {"width": 2, "dash": "dot"})


def alignment_curves_chart(
    curves: Mapping[str, pd.DataFrame], kind: str, requests: pd.DataFrame | None = None, theme: str = "light"
) -> go.Figure:
    """One curve per exploration over the log-SNR, clean on the left, with 95 % bands over images.

    Args:
        curves: exploration -> lam, the kind and its standard error <kind>_se, n (images). One to three; the first is
            the exploration on show, the second the reference of ``requests``.
        kind: "score_norm" (E|eps_hat|^2 / dim) or "perceptual" (mean 1 - SSIM).
        requests: a row per level: requested (where the reference stands), lam (where the first stands instead),
            reachable.
        theme: light or dark.
    """
    if kind not in KINDS:
        raise FigureDataError(f"The 'kind' of an alignment curve must be one of {list(KINDS)}. Got {kind!r} instead.")
    if not 1 <= len(curves) <= len(_STYLES):
        raise FigureDataError(f"Alignment curves compare 1 to {len(_STYLES)} explorations. Got {len(curves)}.")
    for frame in curves.values():
        require_columns(frame, ("lam", kind, f"{kind}_se", "n"), "alignment curves")
    curves = {name: _limits(frame, kind) for name, frame in curves.items()}
    colours = (CATEGORY_COLOURS[1], CATEGORY_COLOURS[0], ROLE_COLOURS["control"])
    marks = [] if requests is None else _requests(requests, list(curves.values()), kind, theme)
    styles = list(zip(curves.items(), colours, _STYLES, strict=False))
    bands = [band(rows, "lam", "lo", "hi", faint(colour)) for (_, rows), colour, _ in styles]
    lines = [_line(rows, name, kind, {"color": colour, **style}) for (name, rows), colour, style in styles]
    fig = wide_chart(theme, _HEIGHT, left=76)
    fig.add_traces([*bands, *lines, *marks])
    high = max(float(rows["hi"].max()) for rows in curves.values())
    fig.update_xaxes(**noise_axis([lam for rows in curves.values() for lam in rows["lam"]]))
    fig.update_yaxes(
        title_text=KINDS[kind], range=[-0.04 * high, 1.04 * high], showgrid=True, fixedrange=True, nticks=6
    )
    return fig


def _limits(frame: pd.DataFrame, kind: str) -> pd.DataFrame:
    rows = frame.sort_values("lam", ascending=False, ignore_index=True)
    half = _Z95 * rows[f"{kind}_se"]
    return rows.assign(lo=rows[kind] - half, hi=rows[kind] + half)


def _line(rows: pd.DataFrame, name: str, kind: str, line: dict) -> go.Scatter:
    return go.Scatter(
        x=rows["lam"].tolist(),
        y=rows[kind].tolist(),
        mode="lines",
        name=name,
        line=line,
        **hovers(
            f"<b>{name}</b><br>λ {format_value(row['lam'], 2)}: {format_estimate(row[kind], row['lo'], row['hi'])}<br>"
            f"n = {counted(round(row['n']), 'image')}"
            for row in rows.to_dict("records")
        ),
    )


def _requests(requests: pd.DataFrame, curves: list[pd.DataFrame], kind: str, theme: str) -> list[go.Scatter]:
    """Where the reference stands (open) and where the first stands instead (filled; crossed out of reach)."""
    require_columns(requests, ("requested", "lam", "reachable"), "aligned levels")
    if len(curves) < 2:
        raise FigureDataError("Aligned levels need the reference's curve beside the exploration's own.")
    requests = requests.reset_index(drop=True)
    own, reference = (
        np.interp(requests[at], rows["lam"][::-1], rows[kind][::-1])
        for at, rows in zip(("lam", "requested"), curves, strict=False)
    )
    rows = requests.assign(own=own, reference=reference)
    ink = palette(theme).ink
    joined = [
        (x, y)
        for row in rows.itertuples()
        for x, y in ((row.requested, row.reference), (row.lam, row.own), (None, None))
    ]
    line = go.Scatter(
        x=[x for x, _ in joined],
        y=[y for _, y in joined],
        mode="lines",
        line={"color": ink, "width": 1},
        hoverinfo="skip",
        showlegend=False,
    )
    found = rows["reachable"].astype(bool)
    parts = [
        (rows, "requested", "reference", "circle-open", 13, "Requested"),
        (rows[found], "lam", "own", "circle", 6, "Aligned"),
        (rows[~found], "lam", "own", "x", 7, "Out of reach"),
    ]
    return [line, *(_points(part, *how, ink) for part, *how in parts if len(part))]


def _points(rows: pd.DataFrame, x: str, y: str, symbol: str, size: int, name: str, colour: str) -> go.Scatter:
    return go.Scatter(
        x=rows[x].tolist(),
        y=rows[y].tolist(),
        mode="markers",
        cliponaxis=False,
        name=name,
        marker={"symbol": symbol, "size": size, "color": colour, "line": {"width": 1.5, "color": colour}},
        **hovers(
            f"<b>{name}</b><br>requested λ {format_value(row.requested, 2)}, aligned λ {format_value(row.lam, 2)}"
            + ("" if row.reachable else "<br>this backbone never reaches the reference's value")
            for row in rows.itertuples()
        ),
    )
