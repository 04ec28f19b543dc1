"""What the falsifier page says in one sentence (theory 21)."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from cfs_explore.diagnostics.falsifier import FALSIFIED, MARGIN, SUPPORTED, verdict
from cfs_explore.wording import counted, format_estimate


def falsifier_headline(ood: str, leads: pd.DataFrame, left_out: int) -> str:
    """Markdown: does any rival beat every variant of CFS?

    Args:
        ood: name of the OOD set, harmless in Markdown.
        leads: rows of ``leads`` (``studies.detectors``) on it.
        left_out: detectors that were not measured.
    """
    if leads.empty:
        return f"For **{ood}**, no rival was measured: the claim that no trajectory is needed was **not tested**."
    best = leads.loc[leads["lead"].idxmax()]
    if leads["saturated"].all():
        return (
            f"For **{ood}**, CFS and every rival separate nearly every image, which is **no evidence** for either: "
            "choose a harder set."
        )
    said, tested = verdict(leads["says"].tolist()), f"{counted(len(leads), 'rival')}{_untested(left_out)}"
    if said == FALSIFIED:
        ahead = leads[leads["says"] == FALSIFIED]
        best = ahead.loc[ahead["lead"].idxmax()]
        return (
            f"For **{ood}**, the claim that no trajectory is needed is **falsified**: {best['title']} beats every "
            f"variant of CFS, by **{_lead(best)}** AUROC."
        )
    if said == SUPPORTED:
        return (
            f"For **{ood}**, the claim that no trajectory is needed is **supported**: none of {tested} beats CFS by "
            f"more than {MARGIN:g} AUROC; {best['title']} comes nearest with **{_lead(best)}**."
        )
    return (
        f"For **{ood}**, the claim that no trajectory is needed stays **open**: of {tested}, {best['title']} is "
        f"{'ahead of' if best['lead'] > 0 else 'nearest to'} CFS with **{_lead(best)}** AUROC, which these images "
        f"cannot tell from {MARGIN:g}."
    )


def budget_words(budget: int, best: pd.DataFrame) -> str:
    """Markdown: who wins at a budget.

    Args:
        budget: forwards per image.
        best: rows of ``falsifier`` that cost no more, the best first.
    """
    if best.empty:
        return f"With at most {counted(budget, 'forward')} per image, no detector was measured."
    row = best.iloc[0]
    text = (
        f"With at most **{counted(budget, 'forward')}** per image, **{row['title']}** wins: AUROC "
        f"{format_estimate(row['auroc'], row['lo'], row['hi'])}."
    )
    if row["detector"] == "cfs_1x2":
        others = best[best["kind"] == "rival"]
        if others.empty:
            return text
        near = others.iloc[0]
        return f"{text} The best rival, {near['title']}, is behind CFS(1x2): {_difference(near, 'to_pair')}."
    return (
        f"{text} Against CFS(1x2): {_difference(row, 'to_pair')}; against the best CFS(K×L) of its cost: {_best(row)}."
    )


def _best(row: Mapping) -> str:
    return _difference(row, "to_best") if pd.notna(row["to_best"]) else "none costs as little"


def _difference(row: Mapping, name: str) -> str:
    return format_estimate(row[name], row[f"{name}_lo"], row[f"{name}_hi"])


def _lead(row: Mapping) -> str:
    return format_estimate(row["lead"], row["lead_lo"], row["lead_hi"])


def _untested(left_out: int) -> str:
    return f" ({counted(left_out, 'detector')} not measured)" if left_out else ""
