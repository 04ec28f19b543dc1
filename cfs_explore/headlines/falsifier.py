"""What the falsifier page says in one sentence (theory 21)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from cfs_explore.diagnostics.falsifier import FALSIFIED, MARGIN, OPEN, SUPPORTED, verdict
from cfs_explore.wording import counted, format_estimate, listed


def falsifier_headline(ood: str, leads: pd.DataFrame, untested: Sequence[str]) -> str:
    """Markdown: does any detector of trajectories beat every variant of CFS?

    Args:
        ood: name of the OOD set, harmless in Markdown.
        leads: rows of ``leads`` (``studies.detectors``) on it.
        untested: titles of trajectory detectors that were not measured.
    """
    followed = leads[leads["trajectory"].astype(bool)]
    if followed.empty:
        return f"For **{ood}**, no trajectory was measured: the claim that none is needed was **not tested**."
    claim = f"For **{ood}**, the claim that no trajectory is needed"
    compared = followed[~followed["saturated"].astype(bool)]
    if compared.empty:
        return (
            f"For **{ood}**, CFS and every trajectory separate nearly every image, which is **no evidence** for "
            "either: choose a harder set."
        )
    said, tested = verdict(followed, len(untested)), counted(len(followed), "trajectory detector")
    if said == FALSIFIED:
        ahead = compared[compared["says"] == FALSIFIED]
        best = ahead.loc[ahead["lead_lo"].idxmax()]
        return f"{claim} is **falsified**: {best['title']} beats every variant of CFS, by **{_lead(best)}** AUROC."
    if said == SUPPORTED:
        best = compared.loc[compared["lead_hi"].idxmax()]
        return (
            f"{claim} is **supported**: none of {tested} beats CFS by more than {MARGIN:g} AUROC; {best['title']} "
            f"comes nearest with **{_lead(best)}**."
        )
    unclear = compared[compared["says"] == OPEN]
    if unclear.empty:
        why = f"{listed(list(untested))} {'was' if len(untested) == 1 else 'were'} not measured" if untested else ""
        why = why or "with the others, both separate nearly every image"
        below = f"all {len(compared)} that compare stay below a lead of {MARGIN:g} AUROC"
        return f"{claim} stays **open**: {below}, but {why}."
    best = unclear.loc[unclear["lead"].idxmax()]
    more = f" {len(untested)} more {'was' if len(untested) == 1 else 'were'} not measured." if untested else ""
    return (
        f"{claim} stays **open**: of {tested}, {best['title']} comes nearest to a lead of more than {MARGIN:g} AUROC: "
        f"**{_lead(best)}**, so these images cannot say whether it has one.{more}"
    )


def same_snapshots(rows: pd.DataFrame) -> str:
    """Markdown: what the best other head makes of the snapshots that CFS(1x2) reads; "" where none was measured.

    Args:
        rows: of ``falsifier`` (``studies.detectors``) on one OOD set.
    """
    heads = rows[(rows["kind"] == "head") & (rows["network"] == "trained") & rows["auroc"].notna()]
    if heads.empty:
        return ""
    best = heads.loc[heads["auroc"].idxmax()]
    value = format_estimate(best["auroc"], best["lo"], best["hi"])
    return (
        f"Of the snapshots that CFS(1x2) reads, one forward, the best other head ({best['title']}) makes AUROC {value}."
    )


def budget_words(budget: int, best: pd.DataFrame) -> str:
    """Markdown: what has the highest AUROC at a budget.

    Args:
        budget: forwards per image.
        best: rows of ``falsifier`` that cost no more, the best first (``figures.falsifier.affordable``).
    """
    if best.empty:
        return f"With at most {counted(budget, 'forward')} per image, no detector was measured."
    row = best.iloc[0]
    equal = int((best["auroc"] == row["auroc"]).sum()) - 1
    who = f"and {counted(equal, 'other')} have" if equal else "has"
    text = (
        f"With at most **{counted(budget, 'forward')}** per image, **{row['title']}** {who} the highest AUROC on these "
        f"images: {format_estimate(row['auroc'], row['lo'], row['hi'])}{_untrained(row)}."
    )
    if row["kind"] == "cfs":
        others = best[best["kind"] == "rival"]
        return text if others.empty else f"{text} The best rival, {others.iloc[0]['title']}, {_beside(others.iloc[0])}."
    chosen = (
        f"; against the best CFS(K×L) of its cost: {_difference(row, 'to_best')}" if pd.notna(row["to_best"]) else ""
    )
    return f"{text} {row['title']} {_beside(row)}{chosen}."


def _untrained(row: Mapping) -> str:
    """'; the same on an untrained network 0.510 [0.410, 0.610]' (theory 18); "" where none was measured."""
    value, lo, hi = (row[f"untrained_{name}"] for name in ("auroc", "lo", "hi"))
    return "" if pd.isna(value) else f"; the same on an untrained network {format_estimate(value, lo, hi)}"


def _beside(row: Mapping) -> str:
    """'is ahead of CFS(1x2): 0.050 [0.020, 0.080]', no stronger than the interval."""
    place = "cannot be told from"
    if row["to_pair_lo"] > 0 or row["to_pair_hi"] < 0:
        place = "is ahead of" if row["to_pair_lo"] > 0 else "is behind"
    return f"{place} CFS(1x2): {_difference(row, 'to_pair')}"


def _difference(row: Mapping, name: str) -> str:
    return format_estimate(row[name], row[f"{name}_lo"], row[f"{name}_hi"])


def _lead(row: Mapping) -> str:
    return format_estimate(row["lead"], row["lead_lo"], row["lead_hi"])
