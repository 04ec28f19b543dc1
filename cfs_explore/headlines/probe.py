"""What the probe page says in one sentence: how odd one tap finds the images, against the ID test set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cfs_explore.wording import format_value

_EXTREME = 0.99


@dataclass(frozen=True)
class Scored:
    """One image at the tap.

    Attributes:
        letter: "A" or "B".
        score: its slot score.
        below: share of the ID test scores that are lower, in [0, 1].
    """

    letter: str
    score: float
    below: float


def probe_headline(tap: str, lam: float, reference: float | None, scored: Sequence[Scored]) -> str:
    """One Markdown sentence.

    Args:
        tap: what the tap is called, such as "decoder tap up1.res2"; safe in Markdown.
        lam: log-SNR of the noise.
        reference: log-SNR of the measured level whose statistics are used instead; None where they are of ``lam``.
        scored: the images.
    """
    where = f"At **λ = {format_lam(lam)}**"
    if reference is not None:
        where += f", against the ID statistics of λ = {format_value(reference, 1)},"
    texts = [f"{each.letter} **{format_score(each.score)}** ({standing(each.below)})" for each in scored]
    return f"{where} the {tap} scores {' and '.join(texts)}."


def format_score(score: float) -> str:
    """Three digits that count: '0.934', '4.12', '118'."""
    return format_value(score, 0 if score >= 100 else 1 if score >= 10 else 2 if score >= 1 else 3)


def format_lam(lam: float) -> str:
    """A log-SNR: '5.0', '4.25', one decimal where that is all."""
    return format_value(lam, 1 if round(lam, 1) == round(lam, 2) else 2)


def standing(below: float) -> str:
    """Where a score stands among those of ID images, of which the share ``below`` is lower."""
    if below == 1:
        return "above every ID image"
    if below >= _EXTREME:
        return "above 99 % of ID"
    if below <= 1 - _EXTREME:
        return "below 99 % of ID"
    return f"{ordinal(round(100 * below))} percentile of ID"


def ordinal(number: int) -> str:
    """'1st', '2nd', '3rd', '11th', '62nd'."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
