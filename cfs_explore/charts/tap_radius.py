"""Slope of the local law and stability radius of every tap, in order of execution (theory 15)."""

from __future__ import annotations

import math

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.map_heatmap import REGION_LABELS, X_TITLE
from cfs_explore.charts.marks import CLICKABLE, flat_legend, hovers, limits, unfaded
from cfs_explore.charts.tap_names import short_tap_name, tap_ticks, taps_px, tick_label
from cfs_explore.charts.theme import BASE_FONT_PX, CLEAR, REGION_COLOURS, Palette, new_chart, palette, text_px
from cfs_explore.wording import format_digits, format_estimate

#: Region -> symbol, so that colour does not tell it alone.
_SYMBOLS = {"input": "circle", "encoder": "square", "middle": "cross", "decoder": "diamond", "output": "triangle-up"}
#: Local slopes that count as 1 (theory 15).
_SLOPES = (0.8, 1.2)
_PLOT_PX = 300


def tap_radius_chart(table: pd.DataFrame, chosen: str | None = None, theme: str = "light") -> go.Figure:
    """Above the slope with its interval, below the stability radius; a click reports the tap_index.

    Args:
        table: a row per tap: tap, tap_index, region, slope with limits, radius with limits (0 where already the
            cleanest levels do not obey the law), radius_end (the radius is the noisiest level measured), smallest
            (the cleanest b/a measured).
        chosen: tap to mark.
    """
    columns = ("tap", "tap_index", "region", "slope", "radius", "radius_lo", "radius_hi", "radius_end", "smallest")
    require_columns(table, columns, "stability radius")
    colours, table = palette(theme), table.sort_values("tap_index").reset_index(drop=True)
    ticks = [tick_label(tap) for tap in table["tap"]]
    bottom = 0.75 * max(text_px(label, BASE_FONT_PX * 12 / 13) for label in ticks) + 34
    height, places = round(_PLOT_PX + 34 + bottom), list(table.index)
    margin = {"l": 66, "r": 16, "t": 34, "b": round(bottom)}
    fig = new_chart(
        theme,
        height=height,
        meta={"kind": "rows", "height": height, "least_px": taps_px(places, margin)},
        margin=margin,
        legend=flat_legend(1.0),
        **CLICKABLE,
    )
    traces = []
    for region, rows in table.groupby("region", sort=False):
        marker = {"symbol": _SYMBOLS.get(region, "circle"), "size": 9, "color": REGION_COLOURS[region]}
        traces.append(_dots(rows, "slope", marker, name=REGION_LABELS.get(region, region), yaxis="y"))
        traces.append(_dots(_on_log_axis(rows), "radius", marker, name=str(region), yaxis="y2", showlegend=False))
    fig.add_traces(traces)
    fig.update_layout(
        shapes=_linear_slopes(colours) + [_frame(k, colours.ink) for k in table.index[table["tap"] == chosen]],
        xaxis=tap_ticks(ticks, places)
        | {"title_text": X_TITLE}
        | {"range": [-0.7, len(table) - 0.3], "fixedrange": True, "anchor": "y2"},
        yaxis={"domain": [0.56, 1], "title_text": "Slope", "showgrid": True, "fixedrange": True, "nticks": 5},
        yaxis2={"domain": [0, 0.48], "type": "log", "title_text": "Radius (b/a)", "showgrid": True, "fixedrange": True}
        | {"dtick": 1, "gridcolor": colours.grid, "range": _log_range(table)},
    )
    return fig


def _on_log_axis(rows: pd.DataFrame) -> pd.DataFrame:
    """Radii of 0 drawn below the smallest noise measured, where a logarithmic axis has room for them."""
    floor = rows["smallest"] / 2
    drawn = {name: rows[name].where(~(rows[name] <= 0), floor) for name in ("radius", "radius_lo", "radius_hi")}
    return rows.assign(**drawn, true_radius=rows["radius"])


def _log_range(table: pd.DataFrame) -> list[float]:
    top = max(table["radius_hi"].max(), table["radius"].max(), table["smallest"].max())
    return [math.log10(float(table["smallest"].min()) / 3), math.log10(float(top) * 1.6)]


def _dots(rows: pd.DataFrame, name_of: str, marker: dict, **options) -> go.Scatter:
    value = rows[name_of]
    lo, hi = (rows[f"{name_of}_{side}"].fillna(value) for side in ("lo", "hi"))
    return go.Scatter(
        x=rows.index.tolist(),
        y=value.tolist(),
        error_y=limits(value, lo, hi, marker["color"]),
        mode="markers",
        marker=marker,
        **unfaded(),
        customdata=[int(index) for index in rows["tap_index"]],
        **hovers(_hover(row) for row in rows.to_dict("records")),
        **options,
    )


def _hover(row: dict) -> str:
    radius = row.get("true_radius", row["radius"])
    if not math.isfinite(radius):
        text = "no radius: nothing varies here"
    elif radius == 0:
        text = f"radius below {format_digits(row['smallest'], 2)}, the cleanest level measured"
    else:
        text = f"radius {'at least ' if row['radius_end'] else ''}{format_digits(radius, 2)}"
    slope = format_estimate(row["slope"], row.get("slope_lo"), row.get("slope_hi"))
    return f"<b>{short_tap_name(row['tap'])}</b> ({row['region']})<br>slope {slope}<br>{text}"


def _linear_slopes(colours: Palette) -> list[dict]:
    """The slopes that count as 1, and 1 itself."""
    whole = {"xref": "paper", "x0": 0, "x1": 1}
    band = {"type": "rect", "y0": _SLOPES[0], "y1": _SLOPES[1], "fillcolor": colours.grid, "opacity": 0.6}
    one = {"type": "line", "y0": 1, "y1": 1, "line": {"color": colours.muted, "width": 1, "dash": "dot"}}
    return [whole | band | {"layer": "below", "line": {"width": 0}}, whole | one]


def _frame(position: int, colour: str) -> dict:
    """A frame around the chosen tap, through both rows."""
    return {
        "type": "rect",
        "name": "chosen",
        "yref": "paper",
        "x0": position - 0.5,
        "x1": position + 0.5,
        "y0": 0,
        "y1": 1,
        "line": {"color": colour, "width": 1.5},
        "fillcolor": CLEAR,
    }
