"""What the protocol page says in one sentence, view by view (theory 1)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from cfs_explore.contracts import SATURATED
from cfs_explore.diagnostics.verdicts import Verdicts
from cfs_explore.levels import REACH_TOLERANCE
from cfs_explore.wording import (
    counted,
    detector_name,
    format_digits,
    format_estimate,
    format_signed,
    format_value,
    percent,
)

#: A rank correlation of maps from here on is called the same order.
_SAME_ORDER = 0.95
#: AUROC below the best detector's that counts as nearly as good.
_NEARLY = 0.01


def levels_headline(name: str, table: pd.DataFrame, reach: tuple[float, float], alignment: str) -> str:
    """How well an exploration's levels meet what was requested.

    Args:
        name: of the exploration, safe in Markdown.
        table: of ``protocol_tables.levels_table``.
        reach: lowest and highest log-SNR of the backbone.
        alignment: of the run.
    """
    ends = f"its backbone reaches λ from {format_value(reach[0], 1)} to {format_value(reach[1], 1)}"
    largest = table.loc[table["error"].abs().idxmax()]
    if alignment != "logsnr":
        moved = table["error"].abs().median()
        return (
            f"**{name}** has its {len(table)} levels aligned by {alignment}, a median of **{format_value(moved, 2)}** "
            f"in log-SNR away from the requested ones; {ends}."
        )
    missed = int((table["error"].abs() > REACH_TOLERANCE).sum())
    if missed:
        return (
            f"**{name}** misses **{missed} of {len(table)}** requested levels (worst: λ = "
            f"{format_value(largest['requested'], 1)}, off by {format_value(abs(largest['error']), 2)}); {ends}."
        )
    return (
        f"**{name}** meets all {len(table)} requested levels to within **{format_value(abs(largest['error']), 3)}** in "
        f"log-SNR (worst at λ = {format_value(largest['requested'], 1)}); {ends}."
    )


def alignment_headline(ood: str, rows: pd.DataFrame, names: Mapping[str, str]) -> str:
    """How much the map depends on where its levels stand.

    Args:
        ood: name of the OOD set.
        rows: ``sensitivity`` of this set.
        names: variant -> how it is called.
    """
    others = rows[rows["variant"] != rows["baseline"]]
    known = others[others["spearman"].notna()]
    if known.empty:
        return f"The maps of **{ood}** are constant: they have no order to compare."
    worst = known.loc[known["spearman"].idxmin()]
    value = format_estimate(worst["spearman"], worst["spearman_lo"], worst["spearman_hi"])
    if worst["spearman"] >= _SAME_ORDER:
        text = f"the map of **{ood}** keeps its order of cells under every alignment tried: lowest rank correlation "
        text += f"**{value}** ({names[worst['variant']]})"
    else:
        text = f"the map of **{ood}** depends most on its alignment under **{names[worst['variant']]}**: rank "
        text += f"correlation **{value}** with the run's own order of cells"
    tried = int(others["cost_of_moving"].notna().sum())
    moved = others[(others["cost_of_moving_lo"] > 0) & (others["baseline_auroc"] <= SATURATED)]
    if moved.empty:
        return f"{text[0].upper()}{text[1:]}; no alignment picks a best cell that is worse beyond chance."
    dear = moved.loc[moved["cost_of_moving"].idxmax()]
    cost = format_estimate(dear["cost_of_moving"], dear["cost_of_moving_lo"], dear["cost_of_moving_hi"])
    return (
        f"{text[0].upper()}{text[1:]}; picking the best cell under another alignment costs up to **{cost}** AUROC, "
        f"beyond chance for {len(moved):,} of {tried:,} alignments (chance alone: {format_value(0.025 * tried, 1)})."
    )


def conditioning_headline(ood: str, summary: pd.DataFrame) -> str:
    """What a wrong level costs.

    Args:
        ood: name of the OOD set.
        summary: of ``protocol_tables.conditioning_summary``.
    """
    named = summary[summary["region"].isin(["encoder", "decoder"])]
    named = summary if named.empty else named
    worst = named.loc[named["median"].idxmax()]
    what = (
        "with the published conditioning"
        if math.isnan(worst["offset"])
        else f"conditioned on a level {abs(worst['offset']):g} too {'clean' if worst['offset'] > 0 else 'noisy'}"
    )
    if worst["median"] <= 0:
        return f"For **{ood}**, wrong conditioning costs the median cell of no region any AUROC."
    return (
        f"For **{ood}**, the network {what} loses a median of **{format_value(worst['median'])}** AUROC in the "
        f"{worst['region']}, the costliest of the wrong conditionings measured; {percent(worst['worse'])} of those "
        f"cells lose beyond chance, {percent(worst['better'])} gain (chance alone: 2.5 % each); "
        f"{percent(worst['survive'])} survive at a false-discovery rate of 5 %."
    )


def labels_headline(ood: str, own: str, rows: pd.DataFrame, cells: pd.DataFrame | None, found: Verdicts) -> str:
    """What labels or prompts cost.

    Args:
        ood: name of the OOD set.
        own: what the network is conditioned on otherwise: "the null class".
        rows: of the table ``conditioning``, of the labels or prompts of this set.
        cells: of ``figures.protocol_conditioning.published_cells``; None for a run without that pair.
        found: on "nothing is lost" of each of ``rows``.
    """
    noun = rows["variant"].iloc[0].split()[0].removesuffix(":")
    given = f"Conditioned on {counted(rows['variant'].nunique(), noun)} in place of {own}"
    if (rows[["loss", "loss_lo", "loss_hi"]] == 0).all(axis=None):
        return f"{given}, no cell's AUROC for **{ood}** changes at all: every loss is exactly 0."
    up = int((found.firm & (rows["loss"] > 0)).sum())
    text = (
        f"{up:,} of {len(rows):,} losses of single cells lie clear above 0, {int(found.firm.sum()) - up:,} below "
        f"(chance alone: 2.5 % each); {int(found.survives.sum()):,} survive at a false-discovery rate of 5 %."
    )
    if cells is None:
        return f"{given}, for **{ood}**: {text}"
    decoder = cells[cells["region"] == "decoder"]
    ends = decoder.loc[list(dict.fromkeys([decoder["loss"].idxmin(), decoder["loss"].idxmax()]))]
    losses = " to ".join(
        f"**{format_estimate(row.loss, row.loss_lo, row.loss_hi)}**{'' if len(ends) == 1 else f' ({row.title})'}"
        for row in ends.itertuples()
    )
    return (
        f"{given}, the published decoder cell, {ends['about'].iloc[0]}, loses {losses} AUROC for **{ood}** (paired "
        f"95 % intervals). Over all cells, {text}"
    )


def cost_headline(ood: str, front: pd.DataFrame, table: pd.DataFrame) -> str:
    """The cheapest detector that is nearly as good as any.

    Args:
        ood: name of the OOD set.
        front: of ``diagnostics.honest_front``.
        table: of ``protocol_tables.cost_table``.
    """
    if front.empty:
        return f"No detector for **{ood}** has both a cost and an AUROC."
    best = front.loc[front["judged_auroc"].idxmax()]
    enough = front[front["judged_auroc"] >= best["judged_auroc"] - _NEARLY].iloc[0]
    value = format_estimate(enough["judged_auroc"], enough["judged_lo"], enough["judged_hi"])
    text = (
        f"For **{ood}**, **{detector_name(enough['detector'])}** comes within {_NEARLY} of the best on the front at "
        f"AUROC **{value}** for {_price(enough)}"
    )
    pairs = table[(table["kind"] == "CFS") & (table["draws"] == 1)]
    if pairs.empty:
        return f"{text}."
    pair = pairs.loc[pairs["picked_auroc"].idxmax()]
    of_pair = format_estimate(pair["judged_auroc"], pair["judged_lo"], pair["judged_hi"])
    return f"{text}; the best pair, {detector_name(pair['detector'])}, has {of_pair} for {_price(pair)}."


def _price(row: Mapping) -> str:
    time = "" if math.isnan(row["ms"]) else f" ({format_digits(row['ms'], 2)} ms)"
    return f"{format_digits(row['effective'], 2)} effective forwards per image{time}"


def comparison_headline(ood: str, first: str, others: Sequence[tuple[str, pd.DataFrame]]) -> str:
    """Who is ahead, and where.

    Args:
        ood: name of the OOD set.
        first: name of the exploration.
        others: (name, ``protocol_tables.compare`` of it against the first).
    """
    clauses = [_against(name, frame) for name, frame in others]
    return f"For **{ood}** and against **{first}**: {'; '.join(clauses)}."


def _against(name: str, frame: pd.DataFrame) -> str:
    if frame.empty:
        return f"**{name}** has no matching cell"
    unsaturated = frame[["auroc_a", "auroc_b"]].min(axis=1) <= SATURATED
    ahead, behind = ((unsaturated & side).mean() for side in (frame["lo"] > 0, frame["hi"] < 0))
    middle = frame["difference"].median()
    return (
        f"**{name}** has a median difference in AUROC of **{format_signed(middle)}** over "
        f"{counted(len(frame), 'matching cell')}, ahead "
        f"beyond chance in {percent(ahead)} of them and behind in {percent(behind)} (chance alone: 2.5 % each)"
    )
