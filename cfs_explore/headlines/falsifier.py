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


def same_snapshots(heads: pd.DataFrame) -> str:
    """Markdown: what the best other head makes of the snapshots that CFS(1x2) reads; "" where none was measured.

    Args:
        heads: of ``figures.falsifier.contest``, the best first.
    """
    if heads.empty:
        return ""
    best = heads.iloc[0]
    return (
        f"Of the snapshots that CFS(1x2) reads, one forward, the best other head ({best['title']}) makes AUROC "
        f"{_joint(best)}{_at_once(len(heads), 'head')}."
    )


def budget_words(budget: int, best: pd.DataFrame) -> str:
    """Markdown: what has the highest AUROC at a budget, and its lead over CFS(1x2), by limits for all at once (35).

    Args:
        budget: forwards per image.
        best: of ``figures.falsifier.contest`` at that budget, the best first.
    """
    if best.empty:
        return f"With at most {counted(budget, 'forward')} per image, no detector was measured."
    row = best.iloc[0]
    equal = int((best["auroc"] == row["auroc"]).sum()) - 1
    who = f"and {counted(equal, 'other')} have" if equal else "has"
    text = (
        f"With at most **{counted(budget, 'forward')}** per image, **{row['title']}** {who} the highest AUROC on these "
        f"images: {_joint(row)}."
    )
    rivals = best[best["kind"] == "rival"]
    if row["detector"] != "cfs_1x2":
        text += f" {row['title']} {_beside(row)}."
    if row["kind"] == "cfs" and len(rivals):
        text += f" The best rival, {rivals.iloc[0]['title']}, {_beside(rivals.iloc[0])}."
    all_at_once = (
        f" These limits hold for all {len(best)} detectors within the budget at once, as the best must be picked from "
        "them."
    )
    return f"{text}{all_at_once if len(best) > 1 else ''}{_untrained(row)}"


def room_words(rows: pd.DataFrame) -> str:
    """Which budgets the trajectory detectors without room would take; "" where all had room.

    Args:
        rows: of ``figures.falsifier.detector_rows`` on one OOD set.
    """
    left = rows[(rows["network"] == "trained") & rows["trajectory"].astype(bool) & rows["needed"].notna()]
    if left.empty:
        return ""
    first, all_of_them = left["needed"].min(), left["needed"].max()
    which = left[left["needed"] == first]["title"].tolist()
    takes = f"{first:.10g} times the map's forwards has room for {listed(which)}"
    more = f", one of {all_of_them:.10g} for all of them" if all_of_them > first else ""
    return f"The budget had no room for {counted(len(left), 'trajectory detector')}; one of {takes}{more}."


def copies_words(copies: int) -> str:
    """What the untrained copies are, as theory (29) asks for five: 'one untrained copy, without spread'."""
    return "one untrained copy, without spread" if copies == 1 else f"{copies} untrained copies, with their spread"


def _untrained(row: Mapping) -> str:
    """' By itself, on one untrained copy, without spread: 0.510 [0.410, 0.610].' (theory 18, 29); "" without one."""
    if pd.isna(row["untrained"]):
        return ""
    told = f" By itself, on {copies_words(int(row['copies']))}: {_limits(row, 'untrained')}"
    return f"{told}." if pd.isna(row["to_untrained"]) else f"{told}, a difference of {_limits(row, 'to_untrained')}."


def _beside(row: Mapping) -> str:
    """'is ahead of CFS(1x2): 0.050 [0.020, 0.080]', no stronger than the interval."""
    place = "cannot be told from"
    if row["lead_lo"] > 0 or row["lead_hi"] < 0:
        place = "is ahead of" if row["lead_lo"] > 0 else "is behind"
    return f"{place} CFS(1x2): {_lead(row)}"


def _limits(row: Mapping, name: str) -> str:
    return format_estimate(row[name], row[f"{name}_lo"], row[f"{name}_hi"])


def _joint(row: Mapping) -> str:
    return format_estimate(row["auroc"], row["joint_lo"], row["joint_hi"])


def _at_once(count: int, noun: str) -> str:
    return f", limits that hold for all {count} {noun}s at once" if count > 1 else ""


def _lead(row: Mapping) -> str:
    return _limits(row, "lead")
