"""What each policy loses on every OOD set, as a coloured table (theory 17, 25)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from cfs_explore.charts.colour_scale import diverging_colour
from cfs_explore.charts.errors import require_columns
from cfs_explore.charts.number_grid import number_grid_chart
from cfs_explore.charts.policy_style import POLICIES
from cfs_explore.charts.tap_names import cell_name
from cfs_explore.wording import format_estimate, format_value

#: From nothing lost to this much, or the largest loss of the table.
_LEAST_REACH = 0.2
_SCALE = [[step / 20, diverging_colour(-0.9 * step / 20)] for step in range(21)]
#: Names short enough for a column.
_HEADS = {
    "sealed": "Sealed<br>cell",
    "proxy": "Proxies",
    "fixed": "Fixed<br>λ = {lam}",
    "sparse_ed_id": "ID-chosen<br>tap, λ = {lam}",
    "icc": "Highest<br>ICC",
    "leave_one_out": "Best on the<br>other sets",
    "random": "Random<br>cell",
}
MEAN_LABEL = "<b>Mean of the sets</b>"


def regret_grid_chart(
    regret: pd.DataFrame, sets: Sequence[str], lam: str, theme: str = "light", selected: str | None = None
) -> go.Figure:
    """A row per OOD set and one for their mean, a column per policy; a click reports the row as ``customdata``.

    Args:
        regret: ood ("" for the mean over sets), policy, tap, lam, auroc, lo, hi, regret, regret_lo, regret_hi, note.
        sets: the OOD sets in the order of the rows.
        lam: log-SNR of the published detectors, as text.
        selected: the OOD set to frame.
    """
    require_columns(
        regret, ("ood", "policy", "tap", "lam", "auroc", "regret", "regret_lo", "regret_hi", "note"), "table of regrets"
    )
    rows = {(row["ood"], row["policy"]): row for row in regret.to_dict("records")}
    policies = [policy for policy in POLICIES if policy in set(regret["policy"])]
    order = [*sets, ""]
    table = [[rows[ood, policy] for policy in policies] for ood in order]
    values = [[row["regret"] for row in line] for line in table]
    known = [value for line in values for value in line if math.isfinite(value)]
    return number_grid_chart(
        values,
        [[_text(row) for row in line] for line in table],
        [[_hover(row, lam) for row in line] for line in table],
        ([*sets, MEAN_LABEL], [_HEADS[policy].format(lam=lam) for policy in policies]),
        (_SCALE, 0.0, max([_LEAST_REACH, *known])),
        theme,
        selected=order.index(selected) if selected in sets else None,
    )


def _text(row: Mapping) -> str:
    if not math.isfinite(row["regret"]):
        return "n/a"
    text = format_value(row["regret"])
    if math.isfinite(row["regret_lo"]):
        text = f"<b>{text}</b><br>[{format_value(row['regret_lo'])}, {format_value(row['regret_hi'])}]"
    return text


def _hover(row: Mapping, lam: str) -> str:
    name = f"<b>{POLICIES[row['policy']].label(lam)}</b>, {row['ood'] or 'mean of the sets'}"
    if not math.isfinite(row["regret"]):
        return f"{name}<br>{row['note']}"
    where = "" if pd.isna(row["tap"]) else f"<br>{cell_name(row['tap'], row['lam'])}"
    lost = format_estimate(row["regret"], row["regret_lo"], row["regret_hi"])
    return f"{name}<br>loses {lost}<br>AUROC {format_estimate(row['auroc'], row['lo'], row['hi'])}{where}"
