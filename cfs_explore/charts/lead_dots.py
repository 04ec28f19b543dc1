"""By how much each rival leads the best variant of CFS, or trails it, against the margin of the claim (theory 21)."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.errors import require_columns, require_known
from cfs_explore.charts.rows import row_chart, row_dot, row_lines, row_rules, row_texts
from cfs_explore.charts.theme import palette
from cfs_explore.charts.verdict_style import VERDICT_STYLES
from cfs_explore.wording import format_estimate

_ROW_PX = 40
#: What a rival's lead says of the claim -> the verdict whose sign and colour it has.
VERDICTS = {"supported": "yes", "open": "open", "falsified": "no"}
_COLUMNS = ("title", "ahead_of", "lead", "lead_lo", "lead_hi", "saturated", "says", "trajectory")


def lead_dots_chart(rows: pd.DataFrame, margin: float, theme: str = "light") -> go.Figure:
    """A row per rival, the largest lead at the top.

    Args:
        rows: of ``leads`` (``studies.detectors``) on one OOD set.
        margin: a lead above it falsifies the claim; a dotted line.
        theme: "light" or "dark".
    """
    require_columns(rows, _COLUMNS, "leads of the rivals")
    require_known(rows["says"], VERDICTS, "What a lead 'says'")
    colours = palette(theme)
    records = rows.sort_values("lead", ascending=False, kind="stable").to_dict("records")
    fig = row_chart(theme, len(records), _ROW_PX, {"l": 18, "r": 20, "t": 16, "b": 46}, above=0.8)
    fig.update_layout(annotations=row_texts((_text(row) for row in records), 6, bgcolor=colours.page, borderpad=1))
    fig.add_traces([_dot(row, position) for position, row in enumerate(records)])
    low, high = min([0.0, *rows["lead_lo"]]), max([margin, *rows["lead_hi"]])
    room = 0.06 * (high - low)
    line = {"color": colours.muted, "width": 1.5, "dash": "dot"}
    rules = row_rules(low - room, high + room, len(records), colours.grid)
    fig.update_layout(shapes=[*row_lines(margin, len(records), line), *rules])
    fig.update_xaxes(
        range=[low - room, high + room],
        title_text=f"Lead in AUROC; the claim allows {margin:g} (dotted); 95 % intervals",
        nticks=7,
        fixedrange=True,
    )
    return fig


def sign(row: Mapping) -> str:
    """'✓ supports' and the like; in brackets where the rival follows no trajectory."""
    style = VERDICT_STYLES["no evidence" if row["saturated"] else VERDICTS[row["says"]]]
    return f"{style.sign} {style.word}" if row["trajectory"] else f"({style.sign})"


def _text(row: Mapping) -> str:
    return f"<b>{row['title']}</b> {sign(row)} {format_estimate(row['lead'], row['lead_lo'], row['lead_hi'])}"


def _dot(row: Mapping, position: int) -> go.Scatter:
    style = VERDICT_STYLES["no evidence" if row["saturated"] else VERDICTS[row["says"]]]
    hover = f"{_text(row)}<br>nearest variant of CFS: {row['ahead_of']}"
    marker = {"symbol": style.symbol, "size": 10, "color": style.colour}
    estimate = row["lead"], row["lead_lo"], row["lead_hi"]
    return row_dot(position, estimate, marker, style.colour, row["title"], hover)
