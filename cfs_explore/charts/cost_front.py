"""What detectors find for what they cost: AUROC against forwards, work or time, with the honest front (theory 1)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.cost_axis import axis_end, beside, cost_axis, names_on
from cfs_explore.charts.errors import FigureDataError, require_columns, require_known
from cfs_explore.charts.marks import flat_legend, hovers, limits
from cfs_explore.charts.noise_lines import faint
from cfs_explore.charts.theme import CATEGORY_COLOURS, ROLE_COLOURS, new_chart, palette
from cfs_explore.wording import detector_name, format_estimate, format_value

#: Cost -> title of its axis.
COSTS = {
    "forwards": "#F: backbone forwards per image",
    "effective": "Effective #F: share of a full forward × #F",
    "ms": "Measured time per image (ms)",
}
#: kind -> (name, symbol, size, colour); open symbols average more than one noise draw.
KINDS = {
    "cell": ("Single cells", "circle", 5, faint(ROLE_COLOURS["control"], 0.45)),
    "CFS-dec": ("CFS-dec(1x1)", "diamond", 10, ROLE_COLOURS["decoder"]),
    "CFS": ("CFS(1x2)", "square", 10, CATEGORY_COLOURS[0]),
    "CFS(KxL)": ("CFS(K×L)", "triangle-up", 11, CATEGORY_COLOURS[1]),
}
_COLUMNS = ("detector", "kind", "draws", "forwards", "effective", "ms", "auroc", "lo", "hi")
_JUDGED = ("judged_auroc", "judged_lo", "judged_hi", "n_id", "n_ood")
#: Half width of the strip of cells around a cost, as a share of the axis.
_STRIP = {"forwards": 0.04, "effective": 0.005, "ms": 0.005}


def cost_front_chart(
    table: pd.DataFrame,
    front: pd.DataFrame,
    cost: str,
    theme: str = "light",
    marked: Collection[str] = (),
    others: Mapping[str, pd.DataFrame] | None = None,
) -> go.Figure:
    """Every detector's AUROC on the judging half against its cost; the front as steps with 95 % intervals.

    Args:
        table: of ``diagnostics.detector_costs``: detector, kind (a key of ``KINDS``), draws, forwards, effective, ms
            (NaN costs are left out), auroc, lo, hi, judged_auroc, judged_lo, judged_hi, n_id, n_ood.
        front: of ``diagnostics.honest_front`` for this cost, from cheap to dear; may have no rows.
        cost: a key of ``COSTS``.
        theme: light or dark.
        marked: detectors that get their name beside their marks.
        others: fronts of other explorations by name, drawn as dashed steps.
    """
    require_columns(table, (*_COLUMNS, *_JUDGED), "detectors by cost")
    if cost not in COSTS:
        raise FigureDataError(f"The 'cost' of detectors must be one of {list(COSTS)}. Got {cost!r} instead.")
    require_known(table["kind"], KINDS, "The 'kind' of a detector")
    others = others or {}
    priced = table[table[cost].notna()].reset_index(drop=True)
    colours = palette(theme)
    axis = cost_axis(
        pd.concat([priced[cost], *(each[cost] for each in others.values())]).dropna(), whole=cost == "forwards"
    )
    fig = new_chart(
        theme,
        height=480,
        meta={"kind": "square"},
        margin={"l": 60, "r": 16, "t": 60, "b": 50},
        hovermode="closest",
        legend=flat_legend(),
    )
    traces = [
        _marks(rows, cost, axis, colours.page) for kind in KINDS for rows in _by_draws(priced[priced["kind"] == kind])
    ]
    traces += [_many_draws(priced, colours.muted)] if (priced["draws"] > 1).any() else []
    dashes = zip(others.items(), ("dash", "dot", "dashdot"), strict=False)
    traces += [_steps(each, f"Front of {name}", cost, axis, colours.muted, dash) for (name, each), dash in dashes]
    if len(front):
        traces += [_steps(front, "Front", cost, axis, colours.ink, "solid"), _judged(front, cost, colours.ink)]
    fig.add_traces(traces)
    fig.update_layout(annotations=_names(priced, marked, cost, axis))
    fig.update_xaxes(title_text=COSTS[cost], showline=True, fixedrange=True, tickangle=0, **axis)
    fig.update_yaxes(title_text="AUROC on the judging half", showgrid=True, tickformat=".2~f", fixedrange=True)
    return fig


def _by_draws(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """With more draws first, so that those with one are on top; parts without rows are left out."""
    many = rows["draws"] > 1
    return [part for part in (rows[many], rows[~many]) if len(part)]


def _marks(rows: pd.DataFrame, cost: str, axis: Mapping, page: str) -> go.Scatter:
    """One kind, filled for a single draw, open for more; a rim of the page's colour keeps neighbours apart."""
    kind = rows["kind"].iloc[0]
    name, symbol, size, colour = KINDS[kind]
    many = rows["draws"].iloc[0] > 1
    width = many if kind == "cell" else 1 + many
    rim = {"color": colour if many else page, "width": int(width)}
    return go.Scatter(
        x=beside(rows[cost], axis, _STRIP[cost]) if kind == "cell" else rows[cost].tolist(),
        y=rows["judged_auroc"].tolist(),
        mode="markers",
        name=name,
        legendgroup=kind,
        showlegend=not many,
        marker={"symbol": f"{symbol}-open" if many else symbol, "size": size, "color": colour, "line": rim},
        **hovers(_hover(row) for row in rows.to_dict("records")),
    )


def _many_draws(table: pd.DataFrame, colour: str) -> go.Scatter:
    """What an open mark means, for the legend alone."""
    most = table["draws"].max()
    marker = {"symbol": "circle-open", "size": 9, "color": colour, "line": {"width": 2, "color": colour}}
    return go.Scatter(x=[None], y=[None], mode="markers", name=f"open: {most} noise draws", marker=marker)


def _hover(row: Mapping) -> str:
    draws = f", {row['draws']} draws" if row["draws"] > 1 else ""
    return (
        f"<b>{detector_name(row['detector'])}</b>{draws}<br>#F {row['forwards']:g} · effective "
        f"{format_value(row['effective'], 2)} · "
        f"{format_value(row['ms'], 2)} ms<br>"
        f"AUROC judged {format_estimate(row['judged_auroc'], row['judged_lo'], row['judged_hi'])}<br>"
        f"all images {format_estimate(row['auroc'], row['lo'], row['hi'])}<br>"
        f"n = {row['n_id']:,} ID, {row['n_ood']:,} OOD"
    )


def _steps(front: pd.DataFrame, name: str, cost: str, axis: Mapping, colour: str, dash: str) -> go.Scatter:
    """What a budget buys: each detector's AUROC until the next one can be paid, the last one to the axis's end."""
    return go.Scatter(
        x=[*front[cost], *[axis_end(axis)] * (len(front) > 0)],
        y=[*front["judged_auroc"], *front["judged_auroc"][-1:]],
        mode="lines",
        name=name,
        line={"shape": "hv", "color": colour, "width": 2, "dash": dash},
        hoverinfo="skip",
    )


def _judged(front: pd.DataFrame, cost: str, colour: str) -> go.Scatter:
    return go.Scatter(
        x=front[cost].tolist(),
        y=front["judged_auroc"].tolist(),
        error_y=limits(front["judged_auroc"], front["judged_lo"], front["judged_hi"], colour, 1.5),
        mode="markers",
        name="On the front",
        showlegend=False,
        marker={"symbol": "circle-open", "size": 13, "color": colour, "line": {"color": colour, "width": 1.5}},
        **hovers(_hover(row) for row in front.to_dict("records")),
    )


def _names(table: pd.DataFrame, marked: Collection[str], cost: str, axis: Mapping) -> list[dict]:
    """The marked detectors' names, each beside its cheapest mark on the side with more room, none over another."""
    span = max(float(table["judged_auroc"].max() - table["judged_auroc"].min()), 0.01) if len(table) else 1.0
    cheapest = table.sort_values("draws", kind="stable").drop_duplicates("detector")
    cheapest = cheapest[cheapest["detector"].isin(list(marked))].sort_values("judged_auroc", kind="stable")
    texts = cheapest["detector"].map(detector_name)
    return names_on(texts, cheapest[cost], cheapest["judged_auroc"], axis, span, on_line=False)
