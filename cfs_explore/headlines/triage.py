"""What the triage page says in one sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cfs_explore.wording import format_estimate, format_value, percent


@dataclass(frozen=True)
class Flagged:
    """What a rule flags in one set.

    Attributes:
        ood, detector: names, safe in Markdown.
        count, n: images flagged, of how many.
        rate: the false-alarm rate or false discovery rate that was asked for.
        threshold: infinite where nothing can be flagged.
        reference: the ID-test images, such as "421 ID-test images of 30 groups".
        groups: of ID-test, as many as images where each is alone.
        expected, expected_lo, expected_hi: flagged images if all were ID: mean and central 95 % range.
    """

    ood: str
    detector: str
    count: int
    n: int
    rate: float
    threshold: float
    reference: str
    groups: int
    expected: float
    expected_lo: float
    expected_hi: float


def triage_headline(found: Flagged, by: str) -> str:
    """Markdown: how many images are flagged, and whether that is more than ID images alone would give.

    Args:
        found: the numbers.
        by: "alarm" for a false-alarm rate, "discovery" for a false discovery rate.
    """
    share = f"**{found.count:,} of {found.n:,}** images of **{found.ood}**"
    if by == "discovery":
        return _discoveries(found, share)
    start = f"At an expected false-alarm rate of {percent(found.rate, None)}, **{found.detector}**"
    if math.isinf(found.threshold):
        smallest = percent(1 / (found.groups + 1), None)
        return f"{start} can flag **no image**: {found.reference} give no p-value below {smallest}."
    chance = f"**{alarms_text(found.expected, found.expected_lo, found.expected_hi)}**"
    if found.count > found.expected_hi:
        return f"{start} flags {share}, **more** than the {chance} expected if all were ID."
    if found.count < found.expected_lo:
        return f"{start} flags {share}, **fewer** than the {chance} expected if all were ID."
    return f"{start} flags {share}, **no more** than expected by chance if all were ID: {chance}."


def why_detector(kind: str, pair: tuple[float, float, float] | None, cell: tuple[float, float, float] | None) -> str:
    """Why the page opened with its detector, in one plain sentence.

    Args:
        kind: "pair", "cell" or "first" (neither).
        pair: AUROC of the published pair with its interval; None without one.
        cell: the same of the best cell, on images that did not choose it; None with too few images.
    """
    if kind == "first":
        return "Opened with the first cell: no published pair, and too few images to choose a cell and judge it."
    if cell is None:
        return "Opened with the published pair CFS(1x2): too few images to choose a cell on half of them and judge it."
    chosen = f"picked on half of the images, it has AUROC {format_estimate(*cell)} on the other half"
    if kind == "cell":
        other = f"the published pair CFS(1x2) has {format_estimate(*pair)}" if pair else "there is no published pair"
        return f"Opened with the best single cell: {chosen}; {other}."
    beside = f"the best single cell, picked on half of the images, has {format_estimate(*cell)} on the other half"
    return f"Opened with the published pair CFS(1x2), AUROC {format_estimate(*pair)}: {beside}."


def _discoveries(found: Flagged, share: str) -> str:
    start = f"At an expected false discovery rate of {percent(found.rate, None)}, **{found.detector}** flags"
    if not found.count:
        return f"{start} **none of {found.n:,}** images of **{found.ood}**."
    among = format_value(found.rate * found.count, 1)
    return f"{start} {share}. On average, at most that share of the flagged images (here {among}) is ID."


def alarms_text(mean: float, lo: float, hi: float) -> str:
    """'12.5 [4, 24]': a mean number of images and its range."""
    return f"{format_value(mean, 1)} [{format_value(lo, 0)}, {format_value(hi, 0)}]"
