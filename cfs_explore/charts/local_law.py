"""The local law: how the variance within an image grows with the noise (theory 15)."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.marks import hovers, labelled_line
from cfs_explore.charts.noise_lines import drawing_order, is_chosen, line_chart, tap_style
from cfs_explore.charts.tap_names import short_tap_name
from cfs_explore.charts.theme import palette
from cfs_explore.wording import format_digits, format_estimate, format_value


def local_law_chart(table: pd.DataFrame, roles: Mapping[str, str], theme: str = "light") -> go.Figure:
    """Within-image variance over b/a, both logarithmic, of the highlighted taps, with the law's slope.

    Args:
        table: a row per level and tap: lam, b, b_over_a, tap, tap_index, region, within with limits, local_slope, icc,
            radius.
        roles: tap -> role, as for ``tap_lines_chart``; a vertical line marks the chosen tap's stability radius.
    """
    columns = ("lam", "b", "b_over_a", "tap", "region", "within", "local_slope", "icc", "radius")
    require_columns(table, columns, "local law")
    colours = palette(theme)
    fig = line_chart(theme, len(roles) + 1)
    for tap, role in drawing_order(roles):
        rows = table[(table["tap"] == tap) & (table["within"] > 0)]
        region = str(table.loc[table["tap"] == tap, "region"].iloc[0])
        fig.add_trace(_growth(rows, f"{short_tap_name(tap)} ({region}), {role}", tap_style(region, role)))
        if is_chosen(role) and len(rows):
            fig.add_trace(_reference(rows, colours.ink))
            radius = float(rows["radius"].iloc[0])
            if radius > 0:
                text = f"radius {format_digits(radius, 2)}"
                labelled_line(fig, radius, text, colours, log=True, foot=True, name="radius")
    fig.update_xaxes(type="log", title_text="b/a, noise amplitude over signal amplitude", showline=True, dtick=1)
    fig.update_xaxes(minor={"dtick": "D1", "ticks": "outside"}, fixedrange=True)
    fig.update_yaxes(
        type="log",
        title_text="Variance within an image",
        showgrid=True,
        dtick=1,
        tickformat="~g",
        fixedrange=True,
    )
    return fig


def _growth(rows: pd.DataFrame, name: str, style: dict) -> go.Scatter:
    return go.Scatter(
        x=rows["b_over_a"].tolist(),
        y=rows["within"].tolist(),
        name=name,
        **hovers(
            f"<b>{short_tap_name(row['tap'])}</b><br>b/a {format_digits(row['b_over_a'])} (λ "
            f"{format_value(row['lam'], 2)})<br>"
            f"variance within {format_digits(row['within'])}<br>local slope "
            f"{format_estimate(row['local_slope'], row.get('local_slope_lo'), row.get('local_slope_hi'))}<br>"
            f"ICC {format_estimate(row['icc'], row.get('icc_lo'), row.get('icc_hi'))}"
            for row in rows.to_dict("records")
        ),
        **style,
    )


def _reference(rows: pd.DataFrame, colour: str) -> go.Scatter:
    """Variance proportional to b^2 through the chosen tap's cleanest level."""
    squares = rows["b"] ** 2
    first = rows["b"].idxmin()
    return go.Scatter(
        x=rows["b_over_a"].tolist(),
        y=(rows.loc[first, "within"] * squares / squares[first]).tolist(),
        name="The law: variance ∝ b²",
        mode="lines",
        line={"color": colour, "width": 1.5, "dash": "longdash"},
        hoverinfo="skip",
    )
