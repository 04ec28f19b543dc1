"""What the page Where says in one sentence, worded by the intervals (theory 24)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from cfs_explore.charts import short_tap_name
from cfs_explore.contracts import SATURATED
from cfs_explore.wording import format_estimate, format_value, listed

#: Control -> what a sentence calls it.
_NAMES = {
    "untrained": "one untrained copy",
    "input tap": "the input tap",
    "pixels": "plain pixel z-scores",
}
_SUBJECTS = {"score": "the score", "deviation": "the local deviation"}


def where_headline(ood: str, part: str, best: pd.DataFrame) -> str:
    """Markdown: where what is marked is found best, and whether that is more than without training or a network.

    Args:
        ood: name of the OOD set, safe in Markdown.
        part: of the maps, "score" or "deviation".
        best: rows of ``localisation_best`` of this set and part.
    """
    rows = best.to_dict("records")
    first = rows[0]
    if not math.isfinite(first["trained"]):
        return f"Too few images of **{ood}** to pick a best cell on one half and judge it on the other."
    thing = "the planted patch" if first["truth"] == "patch" else "what the masks mark"
    place = f"in the **{first['region']}** ({short_tap_name(first['tap'])}) at **λ = {format_value(first['lam'], 1)}**"
    value = f"pixel AUROC **{format_estimate(first['trained'], first['trained_lo'], first['trained_hi'])}**"
    if first["trained_lo"] <= 0.5:
        return f"For **{ood}**, no cell clearly finds {thing}: the best one, {place}, has {value}."
    return f"For **{ood}**, {_SUBJECTS[part]} finds {thing} best {place}: {value}{_against(rows)}."


def _against(rows: list[Mapping]) -> str:
    """'; more than A 0.8 [..], not clearly more than B 0.9 [..]', by the intervals of the paired differences."""
    verdicts = {
        "no evidence against": lambda row: min(row["trained"], row["auroc"]) > SATURATED,
        "more than": lambda row: row["lo"] > 0,
        "**not** clearly more than": lambda row: row["hi"] >= 0,
        "**less** than": lambda row: True,
    }
    said: dict[str, list[str]] = {}
    for row in rows:
        verdict = next(name for name, holds in verdicts.items() if holds(row))
        estimate = format_estimate(row["auroc"], row["auroc_lo"], row["auroc_hi"])
        said.setdefault(verdict, []).append(f"{_NAMES[row['control']]} ({estimate})")
    parts = [f"{verdict} {listed(said[verdict])}" for verdict in verdicts if verdict in said]
    return f"; {', '.join(parts)}"
