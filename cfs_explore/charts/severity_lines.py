"""AUROC over the severity of each corruption, side by side on one axis of AUROC."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import FigureDataError, require_columns, require_known
from cfs_explore.charts.marks import hovers, limits, wide_chart
from cfs_explore.charts.theme import CATEGORY_COLOURS, ROLE_COLOURS, palette
from cfs_explore.wording import format_estimate

#: Kind of detector -> (name, dash, symbol, colour, place beside the others).
KINDS = {
    "best": ("Best cell, honest", "solid", "circle", CATEGORY_COLOURS[1], 0.0),
    "pair": ("CFS(1x2)", "dash", "square", CATEGORY_COLOURS[0], -0.14),
    "input": ("Input tap (depth 0), cleanest level", "dot", "triangle-up", ROLE_COLOURS["control"], 0.14),
}
_COLUMNS = ("corruption", "severity", "kind", "ood", "auroc", "lo", "hi", "n_id", "n_ood")
_GAP, _HEIGHT = 1.4, 360
#: Up to this many corruptions have their names in one row; more in two, so that they fit a narrow column.
_FEW = 3


def severity_lines_chart(rows: pd.DataFrame, theme: str = "light") -> go.Figure:
    """One block per corruption, severities from weak to strong within it, a line per detector with 95 % intervals.

    Args:
        rows: a row per corruption, severity and kind (a key of ``KINDS``): ood (the set's name), auroc with lo and hi
            (NaN where there are none), n_id, n_ood.
        theme: light or dark.
    """
    require_columns(rows, _COLUMNS, "AUROC over severity")
    require_known(rows["kind"], KINDS, "The 'kind' of a detector")
    if rows.empty or rows.duplicated(["corruption", "severity", "kind"]).any():
        raise FigureDataError("The table of AUROC over severity must have each severity once, and at least one.")
    colours, places = palette(theme), _places(rows)
    fig = wide_chart(theme, _HEIGHT)
    shown = [kind for kind in KINDS if (rows["kind"] == kind).any()]
    fig.add_traces([_line(rows[rows["kind"] == kind], kind, places) for kind in reversed(shown)])
    lowest = min(0.5, float(rows[["auroc", "lo"]].min().min()))
    rows_of_names = 2 if rows["corruption"].nunique() > _FEW else 1
    foot = lowest - (0.06 + 0.07 * rows_of_names) * (1.02 - lowest)
    chance = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 0.5, "y1": 0.5, "layer": "below"}
    fig.update_layout(
        shapes=[chance | {"line": {"color": colours.muted, "width": 1, "dash": "dot"}}],
        annotations=_names(places, foot),
    )
    fig.update_xaxes(
        range=[-0.6, max(places.values()) + 0.6],
        **_ticks(places),
        title_text="Severity, weak → strong",
        ticks="outside",
        showline=True,
        tickangle=0,
        fixedrange=True,
    )
    fig.update_yaxes(title_text="AUROC", range=[foot, 1.02], showgrid=True, tickformat=".2~f", fixedrange=True)
    return fig


def _places(rows: pd.DataFrame) -> dict[tuple[str, int], float]:
    """(corruption, severity) -> place on the axis: blocks in the table's order with a gap between them."""
    places: dict[tuple[str, int], float] = {}
    at = 0.0
    for name, block in rows.groupby("corruption", sort=False):
        for severity in sorted(set(block["severity"])):
            places[name, severity] = at
            at += 1
        at += _GAP - 1
    return places


def _ticks(places: Mapping[tuple[str, int], float]) -> dict:
    """A tick for every severity; with many corruptions for each one's weakest and strongest alone."""
    ends = {edge(at for (of, _), at in places.items() if of == name) for name, _ in places for edge in (min, max)}
    many = len({name for name, _ in places}) > _FEW
    shown = {at: str(severity) for (_, severity), at in places.items() if not many or at in ends}
    return {"tickvals": list(shown), "ticktext": list(shown.values())}


def _line(rows: pd.DataFrame, kind: str, places: Mapping[tuple[str, int], float]) -> go.Scatter:
    """A detector's line, broken between corruptions."""
    name, dash, symbol, colour, aside = KINDS[kind]
    blocks = []
    for _, block in rows.groupby("corruption", sort=False):
        blocks += [block.sort_values("severity"), block.head(1).assign(auroc=None, lo=None, hi=None)]
    drawn = pd.concat(blocks[:-1], ignore_index=True).astype({"auroc": float, "lo": float, "hi": float})
    return go.Scatter(
        x=[places[each.corruption, each.severity] + aside for each in drawn.itertuples()],
        y=[None if pd.isna(value) else value for value in drawn["auroc"]],
        error_y=limits(drawn["auroc"], drawn["lo"], drawn["hi"], colour, 1.5),
        mode="lines+markers",
        name=name,
        connectgaps=False,
        line={"color": colour, "width": 2, "dash": dash},
        marker={"symbol": symbol, "size": 8, "color": colour},
        legendrank=list(KINDS).index(kind),
        **hovers(_hover(row, name) for row in drawn.to_dict("records")),
    )


def _hover(row: Mapping, name: str) -> str:
    return (
        f"<b>{row['corruption']}, severity {row['severity']}</b> ({row['ood']})<br>{name}<br>"
        f"AUROC {format_estimate(row['auroc'], row['lo'], row['hi'])}<br>"
        f"n = {row['n_id']:,} ID, {row['n_ood']:,} OOD"
    )


def _names(places: Mapping[tuple[str, int], float], foot: float) -> list[dict]:
    """Each corruption's name at the foot of its block."""
    lift = 0.055 * (1.02 - foot)
    names = list(dict.fromkeys(name for name, _ in places))
    middles = {name: [at for (of, _), at in places.items() if of == name] for name in names}
    return [
        {"x": (min(at) + max(at)) / 2, "y": foot + lift * (k % 2) * (len(names) > _FEW), "yanchor": "bottom"}
        | {"text": f"<b>{name}</b>", "yshift": 2}
        for k, (name, at) in enumerate(middles.items())
    ]
