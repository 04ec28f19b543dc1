"""What every detector finds for what it costs: AUROC against forwards, CFS beside its rivals (theory 19, 20)."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.cost_axis import axis_end, cost_axis, names_on
from cfs_explore.charts.errors import require_columns, require_known
from cfs_explore.charts.marks import flat_legend, hovers, limits
from cfs_explore.charts.theme import CATEGORY_COLOURS, ROLE_COLOURS, new_chart, palette
from cfs_explore.wording import format_digits, format_estimate, format_value

#: Kind -> (name, symbol, size, colour).
KINDS = {
    "cfs": ("CFS", "square", 11, CATEGORY_COLOURS[0]),
    "head": ("Other heads on snapshots", "diamond-open", 9, CATEGORY_COLOURS[0]),
    "rival": ("Rivals", "circle", 9, CATEGORY_COLOURS[1]),
}
_COLUMNS = ("title", "kind", "network", "cost", "forwards", "jvps", "ms", "auroc", "lo", "hi", "n_id", "n_ood")
#: What costs nothing stands here, on an axis that has no zero.
_NOTHING = 0.5


def rival_front_chart(rows: pd.DataFrame, budget: float, theme: str = "light") -> go.Figure:
    """Every measured detector; the best for each budget as steps; untrained copies in grey.

    Args:
        rows: of ``falsifier`` (``studies.detectors``) on one OOD set; those without an AUROC are left out.
        budget: forwards per image that are to be afforded: a dotted line.
        theme: "light" or "dark".
    """
    require_columns(rows, _COLUMNS, "detectors by cost")
    require_known(rows["kind"], KINDS, "The 'kind' of a detector")
    rows = rows[rows["auroc"].notna()].assign(shown=rows["cost"].clip(lower=_NOTHING)).reset_index(drop=True)
    colours, axis = palette(theme), cost_axis(rows["shown"])
    fig = new_chart(
        theme,
        height=520,
        meta={"kind": "square"},
        margin={"l": 60, "r": 16, "t": 60, "b": 50},
        hovermode="closest",
        legend=flat_legend(),
    )
    trained, untrained = (rows[rows["network"] == network] for network in ("trained", "untrained"))
    if len(untrained):
        fig.add_trace(_marks(untrained, "Untrained copy", "circle-open", 7, ROLE_COLOURS["control"], bars=False))
    for kind, style in KINDS.items():
        if (trained["kind"] == kind).any():
            fig.add_trace(_marks(trained[trained["kind"] == kind], *style))
    if len(trained):
        fig.add_trace(_front(trained, axis, colours.ink))
    if budget < axis_end(axis):
        fig.add_vline(x=budget, line={"color": colours.muted, "width": 1.5, "dash": "dot"}, layer="below")
    fig.add_hline(y=0.5, line={"color": colours.muted, "width": 1}, layer="below")
    fig.update_layout(annotations=_names(trained, axis))
    fig.update_xaxes(
        title_text="Forwards per image (a Jacobian product at its measured cost)",
        showline=True,
        fixedrange=True,
        tickangle=0,
        **axis,
    )
    fig.update_yaxes(title_text="AUROC, 95 % interval", showgrid=True, tickformat=".2~f", fixedrange=True)
    return fig


def front(trained: pd.DataFrame) -> pd.DataFrame:
    """The detectors that no other one of at most their cost beats, from cheap to dear."""
    ordered = trained.sort_values(["cost", "auroc"], ascending=[True, False], kind="stable")
    return ordered[ordered["auroc"] > ordered["auroc"].cummax().shift(fill_value=-1.0)]


def _marks(rows: pd.DataFrame, name: str, symbol: str, size: int, colour: str, *, bars: bool = True) -> go.Scatter:
    values = rows["auroc"].tolist()
    return go.Scatter(
        x=rows["shown"].tolist(),
        y=values,
        error_y=limits(values, rows["lo"], rows["hi"], colour, 1.2) if bars else None,
        mode="markers",
        name=name,
        marker={"symbol": symbol, "size": size, "color": colour},
        **hovers(_hover(row) for row in rows.to_dict("records")),
    )


def _hover(row: Mapping) -> str:
    network = "" if row["network"] == "trained" else ", untrained copy"
    products = f" + {row['jvps']:,} products" if row["jvps"] else ""
    return (
        f"<b>{row['title']}</b>{network}<br>AUROC {format_estimate(row['auroc'], row['lo'], row['hi'])}<br>"
        f"{row['forwards']:,} forwards{products} · {format_value(row['ms'], 1)} ms per image<br>"
        f"n = {format_digits(row['n_id'])} ID, {format_digits(row['n_ood'])} OOD"
    )


def _front(trained: pd.DataFrame, axis: Mapping, colour: str) -> go.Scatter:
    best = front(trained)
    return go.Scatter(
        x=[*best["shown"], axis_end(axis)],
        y=[*best["auroc"], best["auroc"].iloc[-1]],
        mode="lines",
        name="Best for the budget",
        line={"shape": "hv", "color": colour, "width": 1.5},
        hoverinfo="skip",
    )


def _names(trained: pd.DataFrame, axis: Mapping) -> list[dict]:
    """The names of the front and of the best rival, each above the front's line, on the side with more room."""
    rivals = trained[trained["kind"] == "rival"].nlargest(1, "auroc")
    marked = pd.concat([front(trained), rivals]).drop_duplicates("title").sort_values("auroc", kind="stable")
    span = max(float(trained["hi"].max() - trained["lo"].min()), 0.05) if len(trained) else 1.0
    return names_on(marked["title"], marked["shown"], marked["auroc"], axis, span, on_line=True)
