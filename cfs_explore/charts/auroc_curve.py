"""AUROC of one tap along the noise, with what images and what noise make uncertain, and its plateau."""

from __future__ import annotations

import itertools

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import FigureDataError, require_columns
from cfs_explore.charts.marks import hovers
from cfs_explore.charts.noise_lines import band, faint, level_line, line_chart, noise_axis
from cfs_explore.charts.theme import ROLE_COLOURS, palette
from cfs_explore.wording import format_estimate, format_value

_PLATEAU = "#E69F00"
#: Below the lowest AUROC: room for the word at the line of chance, above the plateau's bar.
_FOOT = 0.07


def auroc_curve_chart(
    curve: pd.DataFrame,
    plateau: tuple[int, int],
    possible: tuple[int, int] | None = None,
    theme: str = "light",
) -> go.Figure:
    """AUROC over the log-SNR with its band, the range of the single draws, and the plateau.

    Args:
        curve: a row per level, clean to noisy: lam, auroc, lo, hi; draw_lo, draw_hi (lowest and highest AUROC
            of a single draw; NaN for one draw).
        plateau: first and last row within the margin of the maximum.
        possible: first and last row that the data allow to be.
    """
    require_columns(curve, ("lam", "auroc", "lo", "hi", "draw_lo", "draw_hi"), "AUROC curve")
    ends = [*plateau, *(possible or ())]
    if not all(0 <= end < len(curve) for end in ends):
        raise FigureDataError(f"The plateau's ends must be rows of the curve, 0 to {len(curve) - 1}. Got {ends}.")
    colours, curve = palette(theme), curve.reset_index(drop=True)
    spread = bool(curve["draw_lo"].notna().any())
    fig = line_chart(theme, 3 + spread)
    traces = [
        band(curve, "lam", "lo", "hi", faint(ROLE_COLOURS["id"], 0.2), name="95 % interval", showlegend=True),
        *([_draws(curve, colours.ink)] if spread else []),
        _line(curve),
        _plateau_key(),
    ]
    fig.add_traces(traces)
    chance = level_line(0.5, "chance", colours.muted)
    chance["shapes"] += _plateau_bars(curve["lam"].tolist(), plateau, possible)
    fig.update_layout(legend_itemsizing="constant", **chance)
    fig.update_xaxes(**noise_axis(curve["lam"]))
    lowest = min(0.5, float(curve[["auroc", "lo", "draw_lo"]].min().min()))
    fig.update_yaxes(title_text="AUROC", range=[max(0.0, lowest - _FOOT), 1.02], showgrid=True, fixedrange=True)
    return fig


def _draws(curve: pd.DataFrame, colour: str) -> go.Scatter:
    """The single draws' range as a bar at every level, beside the band of the images."""
    middle = (curve["draw_lo"] + curve["draw_hi"]) / 2
    return go.Scatter(
        x=curve["lam"].tolist(),
        y=middle.tolist(),
        error_y={
            "type": "data",
            "array": ((curve["draw_hi"] - curve["draw_lo"]) / 2).tolist(),
            "color": colour,
            "thickness": 1.5,
            "width": 5,
        },
        mode="markers",
        marker={"symbol": "line-ns", "size": 1, "line": {"color": colour, "width": 1.5}},
        name="Single draws, lowest to highest",
        hoverinfo="skip",
    )


def _line(curve: pd.DataFrame) -> go.Scatter:
    return go.Scatter(
        x=curve["lam"].tolist(),
        y=curve["auroc"].tolist(),
        name="AUROC of the mean over draws",
        mode="lines+markers",
        line={"color": ROLE_COLOURS["id"], "width": 2.5},
        marker={"size": 8, "color": ROLE_COLOURS["id"]},
        **hovers(_hover(row) for row in curve.to_dict("records")),
    )


def _hover(row: dict) -> str:
    text = f"<b>AUROC {format_estimate(row['auroc'], row['lo'], row['hi'])}</b><br>λ {format_value(row['lam'], 2)}"
    if pd.notna(row["draw_lo"]):
        text += f"<br>single draws {format_value(row['draw_lo'])} to {format_value(row['draw_hi'])}"
    return text


def _plateau_bars(lams: list[float], plateau: tuple[int, int], possible: tuple[int, int] | None) -> list[dict]:
    """The plateau as a bar along the lower edge; a thin line where the data allow it to reach."""
    gap = min((abs(a - b) for a, b in itertools.pairwise(lams)), default=1.0)
    return [
        {
            "type": "line",
            "name": kind,
            "x0": lams[first] + 0.12 * gap,
            "x1": lams[last] - 0.12 * gap,
            "y0": 0,
            "y1": 0,
            "yref": "paper",
            "line": {"color": _PLATEAU, "width": width},
        }
        for (first, last), width, kind in ((possible or plateau, 2, "possible"), (plateau, 8, "plateau"))
    ]


def _plateau_key() -> go.Scatter:
    """The plateau's entry in the legend."""
    return go.Scatter(
        x=[None],
        y=[None],
        mode="lines",
        line={"color": _PLATEAU, "width": 6},
        name="Plateau (below): within 0.01 of the maximum",
        hoverinfo="skip",
    )
