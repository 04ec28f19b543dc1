"""What the verdict page says of the paper's claims: each in plain words, and how many hold in one sentence."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from cfs_explore.wording import listed


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
    "no trajectory": Claim(
        "No trajectory needed",
        "No detector that reads an image at several noise levels beats CFS by more than 0.01 of AUROC.",
    ),
}


#: Verdict on a claim about no OOD set -> what is said of it.
_ALONE = {"yes": "**holds**", "no": "is **spoken against**", "open": "is **open**"}


def verdict_headline(table: pd.DataFrame) -> str:
    """Markdown: which claims hold everywhere, which are spoken against, and the one that is about no OOD set.

    Only verdicts that survive the false-discovery rate count (theory 30). A set without evidence, or without a
    measurement, judges nothing.

    Args:
        table: claim, ood ("" for the claim about ID-test alone), verdict, survives; a row per claim and OOD set.
    """
    judged = table[table["verdict"].isin(["yes", "no", "open"])]
    if judged.empty:
        return "Nothing could be judged."
    verdicts = judged["verdict"].where(judged["survives"] | (judged["verdict"] == "open"), "open")
    alone = judged["ood"] == ""
    of_claim = {claim: list(found) for claim, found in verdicts[~alone].groupby(judged["claim"], sort=False)}
    said = [_on_sets(of_claim, table.loc[table["ood"] != "", "ood"].nunique())] if of_claim else []
    for claim, verdict in zip(judged.loc[alone, "claim"], verdicts[alone], strict=True):
        said.append(f"{_quoted(claim)}, of ID-test alone, {_ALONE[verdict]}.")
    return " ".join(said)


def _on_sets(of_claim: dict[str, list[str]], sets: int) -> str:
    """Of the claims about OOD sets: how many hold on every set that judges them, and which are spoken against."""
    holds = [claim for claim, found in of_claim.items() if set(found) == {"yes"}]
    against = {claim: found.count("no") for claim, found in of_claim.items() if "no" in found}
    where = "on every OOD set that can judge them" if sets > 1 else "on the one OOD set"
    hold = f"**{len(holds)} of {len(of_claim)}** claims of the paper {'holds' if len(holds) == 1 else 'hold'} {where}"
    hold += f": {listed([_quoted(claim) for claim in holds])}" if holds else ""
    other = f": {_counted(against, sets)}" if against else ""
    return f"{hold}. This map speaks against **{len(against) or 'none'}**{other}."


def _quoted(claim: str) -> str:
    return f"“{WORDS[claim].short}”"


def _counted(against: dict[str, int], sets: int) -> str:
    """'“A” on 5 of 8 sets, “B” on 2 and “C” on 1', the most first."""
    parts = []
    for claim, count in sorted(against.items(), key=lambda each: -each[1]):
        of = "" if sets == 1 else f" on {count}" if parts else f" on {count} of {sets} sets"
        parts.append(f"{_quoted(claim)}{of}")
    return listed(parts)
