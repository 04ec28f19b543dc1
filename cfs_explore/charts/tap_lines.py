"""One line per tap along the noise: a few highlighted, all others thin and grey."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import FigureDataError, require_columns
from cfs_explore.charts.marks import CLICKABLE, hovers, unfaded
from cfs_explore.charts.noise_lines import (
    ROLE_STYLES,
    band,
    drawing_order,
    faint,
    is_chosen,
    level_line,
    line_chart,
    noise_axis,
    tap_style,
)
from cfs_explore.charts.tap_names import short_tap_name
from cfs_explore.charts.theme import REGION_COLOURS, palette
from cfs_explore.wording import format_estimate, format_value

_COLUMNS = ("lam", "tap", "tap_index", "region", "value", "lo", "hi")
#: Reliability that counts as stable (theory 15).
_STABLE = 0.9


def tap_lines_chart(
    table: pd.DataFrame,
    roles: Mapping[str, str],
    value_label: str,
    theme: str = "light",
    *,
    line: float | None = _STABLE,
) -> go.Figure:
    """Reliability, or another share, of every tap over the log-SNR, clean on the left.

    Args:
        table: a row per level and tap: lam, tap, tap_index, region, value with lo and hi (NaN where missing).
        roles: tap -> a key of ``ROLE_STYLES``; those taps are highlighted, the chosen with its band.
        value_label: of the y axis.
        line: value at which a dotted line lies; None for none.

    A click on a line reports its tap_index as ``customdata``.
    """
    require_columns(table, _COLUMNS, "reliability lines")
    unknown = set(roles.values()) - set(ROLE_STYLES)
    if unknown or not set(roles) <= set(table["tap"]):
        raise FigureDataError(f"The 'roles' must give taps of the table a role of {list(ROLE_STYLES)}. Got {roles}.")
    colours = palette(theme)
    others = not set(table["tap"]) <= set(roles)
    fig = line_chart(theme, len(roles) + others, **CLICKABLE)
    traces = []
    if others:
        traces.append(_others(table[~table["tap"].isin(list(roles))], colours.muted))
    for tap, role in drawing_order(roles):
        rows = table[table["tap"] == tap]
        region = str(rows["region"].iloc[0])
        if is_chosen(role):
            traces.append(band(rows, "lam", "lo", "hi", faint(REGION_COLOURS[region], 0.22)))
        traces.append(_line(rows, f"{short_tap_name(tap)} ({region}), {role}", tap_style(region, role)))
    fig.add_traces(traces)
    if line is not None:
        fig.update_layout(**level_line(line, format_value(line, 1), colours.muted))
    fig.update_xaxes(**noise_axis(table["lam"]))
    lowest, highest = min(0.0, float(table["value"].min())), max(1.0, float(table["value"].max()))
    ends = [max(lowest, -0.2) - 0.03, highest + 0.03]
    fig.update_yaxes(title_text=value_label, range=ends, showgrid=True, fixedrange=True)
    return fig


def _others(table: pd.DataFrame, colour: str) -> go.Scatter:
    """All other taps as one trace, with a gap between two of them; only points answer clicks, so they are there."""
    gaps = table.drop_duplicates("tap", keep="last").assign(value=np.nan)
    rows = pd.concat([table, gaps]).sort_values("tap_index", kind="stable")[:-1]
    marker = {"size": 7, "color": colour, "opacity": 0}
    line = _line(rows, "Other taps", {"mode": "lines+markers", "line": {"color": colour, "width": 1}, "marker": marker})
    return line.update(opacity=0.45, selected_marker_opacity=0, unselected_marker_opacity=0)


def _line(rows: pd.DataFrame, name: str, style: dict, **options) -> go.Scatter:
    return go.Scatter(
        x=rows["lam"].tolist(),
        y=rows["value"].tolist(),
        name=name,
        customdata=[int(index) for index in rows["tap_index"]],
        **hovers(
            f"<b>{short_tap_name(row['tap'])}</b> ({row['region']})<br>λ {format_value(row['lam'], 2)}: "
            f"{format_estimate(row['value'], row['lo'], row['hi'])}"
            for row in rows.to_dict("records")
        ),
        **unfaded(),
        **style,
        **options,
    )
