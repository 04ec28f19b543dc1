"""What the separation page says in one sentence (theory 10, 12, 13)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from cfs_explore.wording import format_estimate, format_value, percent

#: A measured AUROC this far below the bound is no rounding.
_ROUNDING = 1e-6


def separation_headline(cells: pd.DataFrame, chosen: Mapping, where: str) -> str:
    """Markdown: how well means and variances predict AUROC over all cells, and what the chosen cell separates by.

    Args:
        cells: the separation table of one OOD set.
        chosen: the row of the chosen cell.
        where: how the chosen cell is called, such as "up1.res2 (decoder) at λ = 5.0".
    """
    return f"{_over_all(cells)} {_of_one(chosen, where)}"


def _over_all(cells: pd.DataFrame) -> str:
    miss = (cells["predicted"] - cells["auroc"]).abs().dropna()
    if miss.empty:
        return "With fewer than two images in a set, there is no variance to predict an AUROC from."
    text = (
        f"Over {len(miss):,} cells, the AUROC predicted from means and variances misses the measured one by "
        f"**{format_value(miss.mean())}** on average"
    )
    applies = cells["bound"].notna()
    below = int((cells["auroc"] < cells["bound"] - _ROUNDING).sum())
    if not applies.any():
        return f"{text}; the bound does not apply, since no cell scores OOD higher on average."
    if below:
        return f"{text}; **{below}** of {applies.sum()} cells lie **below the bound**, which is impossible: check them."
    if applies.all():
        return f"{text}, and no cell falls below the bound."
    return f"{text}, and none of the {applies.sum()} cells to which the bound applies (Δ > 0) falls below it."


def _of_one(cell: Mapping, where: str) -> str:
    delta = f"Δ = {format_estimate(cell['delta'], cell['delta_lo'], cell['delta_hi'])}"
    if not math.isfinite(cell["delta_lo"]):
        return f"For **{where}**, {delta} has no interval: too few images, or scores that do not vary."
    if cell["delta_lo"] <= 0 <= cell["delta_hi"]:
        text = f"**{where}** does not raise the mean score beyond chance: {delta}"
        if cell["lo"] <= 0.5:
            return f"{text}."
        auroc = format_estimate(cell["auroc"], cell["lo"], cell["hi"])
        return f"{text}; its AUROC of {auroc} may come from the **shape** of the score distributions."
    if cell["delta"] < 0:
        return f"**{where}** scores OOD **lower** than ID: {delta}, {_parts(cell)}."
    return f"**{where}** {_separates_by(cell, delta)}."


def _separates_by(cell: Mapping, delta: str) -> str:
    """Which part a positive Delta owes itself to, as far as the parts' intervals tell."""
    names = {"mean_shift": "mean shift", "variance_change": "variance"}
    strong, weak = sorted(names, key=lambda part: -cell[part])
    share = f"{percent(cell[strong] / cell['delta'])} of {delta}"
    if cell[f"{strong}_lo"] <= 0:
        return f"separates, but whether by mean shift or by variance is unclear: {delta}, {_parts(cell)}"
    if cell[f"{weak}_hi"] < 0:
        loss = "fall in variance" if weak == "variance_change" else "mean that moves closer"
        return f"separates by **{names[strong]}**, less a {loss}: {delta}, {_parts(cell)}"
    if cell[f"{weak}_lo"] <= 0:
        other = format_estimate(cell[weak], cell[f"{weak}_lo"], cell[f"{weak}_hi"])
        part = "change in variance" if weak == "variance_change" else "mean shift"
        return f"separates by **{names[strong]}**: {delta}, of which the {part}, {other}, could be none"
    if cell[f"{strong}_lo"] > cell[f"{weak}_hi"]:
        return f"separates mostly by **{names[strong]}** ({share})"
    return f"separates by **mean shift and variance together** ({names[strong]}: {share}; too close to call)"


def _parts(cell: Mapping) -> str:
    return f"mean shift {format_value(cell['mean_shift'])}, variance change {format_value(cell['variance_change'])}"


def coverage(cells: pd.DataFrame) -> float:
    """Share of the cells whose prediction lies in the 95 % interval of the measured AUROC; NaN without predictions."""
    known = cells[cells["predicted"].notna()]
    return float(np.mean(known["predicted"].between(known["lo"], known["hi"]))) if len(known) else math.nan
