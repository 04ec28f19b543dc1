"""What the prediction page says first: the seal, and what it was worth (theory 25)."""

from __future__ import annotations

import math

import pandas as pd

from cfs_explore.wording import counted, format_estimate

_VERDICTS = {
    "confirmed": "**confirmed**",
    "refuted": "**refuted**",
    "open": "**open**: not clear of chance",
    "no evidence": "**no evidence**",
}


def sealed_headline(
    cell: str,
    when: str,
    predicted: tuple[float, float, float],
    ranking: pd.DataFrame | None,
    chosen: pd.DataFrame | None,
) -> str:
    """Markdown: what was sealed when, and its verdict on the sets that were measured after it.

    Args:
        cell: the sealed cell's label. when: it was sealed. predicted: its AUROC with limits.
        ranking, chosen: the tables ``sealed_ranking`` and ``sealed_choice``; None where they were not computed.
    """
    what = (
        f"From ID images alone, **{cell}** was sealed on {when}, predicted AUROC {format_estimate(*predicted)} (the "
        "highest of all cells, so it tends to be too high)"
    )
    if ranking is None:
        return f"{what}; it was not compared with what was measured."
    judged = ranking[ranking["refused"] == ""]
    if judged.empty:
        reasons = list(ranking.loc[~_late(ranking), "refused"].unique())
        if reasons:
            more = f" {counted(len(reasons) - 1, 'more reason')} in the table." if len(reasons) > 1 else ""
            return f"{what}. It judges none of these sets. {reasons[0]}{more}"
        return (
            f"{what}. That is later than the measurement of this exploration's OOD sets, so it **judges what is "
            "uploaded against it from now on**, not these sets."
        )
    mean = judged[judged["ood"] == ""].iloc[0]
    gain = chosen[(chosen["ood"] == "") & (chosen["policy"] == "random")].iloc[0]
    text = f"{what}. On {counted(int(mean['n_sets']), 'set')} measured after it, it is {_VERDICTS[mean['verdict']]}"
    if mean["verdict"] == "no evidence" and gain["saturated"]:
        text += ": both AUROCs are near 1"
    if math.isfinite(gain["gain"]):
        more = format_estimate(gain["gain"], gain["gain_lo"], gain["gain_hi"])
        text += f"; AUROC gained over a random cell: {more}"
    rest = len(ranking) - len(judged)
    return f"{text}." + (f" {counted(rest, 'set')} it may not judge." if rest else "")


def _late(ranking: pd.DataFrame) -> pd.Series:
    """Of which sets the seal was made after their images were opened: it could not judge them, whatever else it is."""
    sealed, opened = (
        pd.to_datetime(ranking[name], utc=True, errors="coerce", format="ISO8601")
        for name in ("sealed_at", "opened_at")
    )
    return sealed > opened
