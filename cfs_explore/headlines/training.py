"""What the page Training says in one sentence or two, worded by the intervals (theory 38)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from cfs_explore.contracts import SATURATED
from cfs_explore.wording import counted, format_estimate, format_signed


def training_headline(ood: str, steps: pd.DataFrame) -> str:
    """Markdown: what training adds to the best cell, and from which kept step on the map is above the first weights'.

    Args:
        ood: name of the OOD set, safe in Markdown.
        steps: rows of ``training_steps`` of this set.
    """
    rows = steps.sort_values("step").to_dict("records")
    first, last = rows[0], rows[-1]
    size = f"n = {last['n_id']:,} ID, {last['n_ood']:,} OOD"
    if not math.isfinite(last["best_excess"]):
        return f"Too few images of **{ood}** to pick a best cell on one half and judge it on the other ({size})."
    return f"For **{ood}**, {_best(first, last)} ({size}). {_since(rows)}"


def _best(first: Mapping, last: Mapping) -> str:
    """The best cell of the last step beside that of the first weights."""
    before, after = (f"**{format_estimate(row['best'], row['best_lo'], row['best_hi'])}**" for row in (first, last))
    both = f"{before} with the first weights, {after} after {counted(int(last['step']), 'step')}"
    if min(first["best"], last["best"]) > SATURATED:
        return f"both the first and the last best cell separate nearly every image, which is **no evidence**: {both}"
    ends = (format_signed(last[f"best_excess{end}"]) for end in ("", "_lo", "_hi"))
    change = "difference **{} [{}, {}]**, best cell against best cell".format(*ends)
    if last["best_excess_lo"] > 0:
        return f"training **raises** the AUROC of the best cell: {both}; {change}"
    if last["best_excess_hi"] < 0:
        return f"training **lowers** the AUROC of the best cell: {both}; {change}"
    return f"training does **not** change the AUROC of the best cell beyond chance: {both}; {change}"


def _since(rows: list[Mapping]) -> str:
    """From which kept step on the mean over cells is above that of the first weights, each interval by itself."""
    last, clear = rows[-1], None
    for row in reversed(rows[1:]):
        if not row["excess_lo"] > 0:
            break
        clear = row
    excess = f"**{format_estimate(last['excess'], last['excess_lo'], last['excess_hi'])}**"
    if last["excess_hi"] < 0:
        return f"The mean AUROC over all cells ends **below** that of the first weights: {excess}."
    if clear is None:
        return (
            f"The mean AUROC over all cells does **not** end above that of the first weights beyond chance: {excess}."
        )
    when = "only at the last step" if clear is last else f"from step {int(clear['step']):,} on, in the end"
    return f"The mean AUROC over all cells is above that of the first weights {when}, by {excess}."
