"""What the verdict page says of the paper's claims: each in plain words, and how many hold in one sentence."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from cfs_explore.wording import counted, listed


class Claim(NamedTuple):
    """short: at its row. sentence: what is claimed, in plain words."""

    short: str
    sentence: str


#: Claim, as `cfs-explore claims` names it -> its words.
WORDS = {
    "low noise": Claim(
        "Low noise is best", "OOD images stand out more where the noise is low (λ of 3 and more) than where it is high."
    ),
    "pair": Claim("The pair beats one", "Encoder and decoder averaged, CFS(1x2), beat the decoder tap alone."),
    "decoder": Claim("The decoder will do", "The decoder tap alone loses at most 0.02 of AUROC against the pair."),
    "few cells": Claim("Two cells will do", "CFS(1x2) loses at most 0.02 of AUROC against the map's best cell."),
    "complementary": Claim(
        "Two views, not one", "Among images that the encoder finds alike, the decoder still tells OOD from ID."
    ),
    "plateau": Claim(
        "Any low noise will do", "While the noise is low, its level changes the decoder tap's AUROC by less than 0.01."
    ),
    "stable": Claim(
        "Snapshots are stable",
        "At least 90 % of what varies in the decoder's snapshots is the image's, not the noise's.",
    ),
    "trained": Claim("Training matters", "The best cell beats the best cell of untrained copies of the network."),
    "beyond statistics": Claim(
        "More than statistics", "The best cell beats plain image statistics, such as brightness, without any network."
    ),
}


def verdict_headline(table: pd.DataFrame) -> str:
    """Markdown: which claims hold everywhere, which are spoken against, and what chance alone would give (theory 30).

    Args:
        table: claim, ood, verdict, p, survives; a row per claim and OOD set.
    """
    of_claim = {claim: list(rows) for claim, rows in table.groupby("claim", sort=False)["verdict"]}
    holds = [claim for claim, found in of_claim.items() if set(found) == {"yes"}]
    against = {claim: found.count("no") for claim, found in of_claim.items() if "no" in found}
    sets = table.loc[table["ood"] != "", "ood"].nunique()
    where = "on every OOD set" if sets > 1 else "on the one OOD set"
    hold = f"**{len(holds)} of {len(of_claim)}** claims of the paper {'holds' if len(holds) == 1 else 'hold'} {where}"
    hold += f": {listed([_quoted(claim) for claim in holds])}" if holds else ""
    other = f"This map speaks against **{len(against) or 'none'}**" + (
        f": {_counted(against, sets)}" if against else ""
    )
    return f"{hold}. {other}. {_chance(table)}"


def _chance(table: pd.DataFrame) -> str:
    judged, firm = int(table["p"].notna().sum()), int(table["verdict"].isin(["yes", "no"]).sum())
    if not judged:
        return "Nothing could be judged."
    chance = 0.05 * judged
    about = f"{chance:.0f}" if chance >= 10 else f"{chance:.1f}"
    return (
        f"{firm:,} of {counted(judged, 'verdict')} {'is' if firm == 1 else 'are'} firm; chance alone would make about "
        f"{about} so, and {table['survives'].sum():,} {'survives' if table['survives'].sum() == 1 else 'survive'} a "
        "false-discovery rate of 5 %."
    )


def _quoted(claim: str) -> str:
    return f"“{WORDS[claim].short}”"


def _counted(against: dict[str, int], sets: int) -> str:
    """'“A” on 5 of 8 sets, “B” on 2 and “C” on 1', the most first."""
    parts = []
    for claim, count in sorted(against.items(), key=lambda each: -each[1]):
        of = "" if sets == 1 or claim == "stable" else f" on {count}" if parts else f" on {count} of {sets} sets"
        parts.append(f"{_quoted(claim)}{of}")
    return listed(parts)
