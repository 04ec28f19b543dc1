"""What the stability page says in one sentence: what survives the noise, and how wide the plateau is (section 6)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cfs_explore.wording import format_estimate, format_value, percent


@dataclass(frozen=True)
class Survival:
    """Reliability of the chosen tap's features at one level.

    Attributes:
        lam: log-SNR.
        icc, lo, hi: ICC and its 95 % interval.
        counts: of images and their groups, such as "n = 421 ID-test images".
        draws: noise draws.
    """

    lam: float
    icc: float
    lo: float
    hi: float
    counts: str
    draws: int


@dataclass(frozen=True)
class Curve:
    """AUROC of the chosen tap along the noise.

    Attributes:
        ood: name of the OOD set, safe in Markdown.
        lam: log-SNR of the maximum.
        peak, lo, hi: the maximum and its 95 % interval.
        first, last: log-SNR of the plateau's ends, clean and noisy.
        levels, on_plateau: number of levels measured, and of those on the plateau.
    """

    ood: str
    lam: float
    peak: float
    lo: float
    hi: float
    first: float
    last: float
    levels: int
    on_plateau: int


def stability_headline(tap: str, survival: Survival | None, curve: Curve) -> str:
    """One Markdown sentence.

    Args:
        tap: what the chosen tap is called, such as "up1.res2 (decoder)".
        survival: None where the stage has not run.
        curve: along the noise.
    """
    return f"{_survives(tap, survival)}; {_plateau(curve)}."


def _survives(tap: str, survival: Survival | None) -> str:
    if survival is None:
        return f"The reliability of **{tap}** under noise has not been computed"
    where = f"At **λ = {format_value(survival.lam, 1)}**"
    if not math.isfinite(survival.icc):
        return f"{where}, the features of **{tap}** do not vary at all"
    counts = f"{survival.counts}, {survival.draws} noise draws"
    value = f"ICC {format_estimate(survival.icc, survival.lo, survival.hi)}, {counts}"
    if not math.isfinite(survival.lo):
        unknown = f"how much of the feature variance of **{tap}** is the image's own"
        return f"{where}, there are too few images to say {unknown} ({value})"
    if survival.lo <= 0:
        return f"{where}, no part of the feature variance of **{tap}** is demonstrably the image's own ({value})"
    return f"{where}, **{_percent(survival.icc)}** of the feature variance of **{tap}** is the image's own ({value})"


def _percent(share: float) -> str:
    """'93 %'; one that is not whole is never rounded up to it."""
    if 0.995 <= share < 1:
        return "more than 99 %"
    return percent(share)


def _plateau(curve: Curve) -> str:
    value = format_estimate(curve.peak, curve.lo, curve.hi)
    if curve.levels == 1:
        return f"its AUROC for **{curve.ood}** at the only level measured is {value}"
    if curve.lo <= 0.5:
        return (
            f"its AUROC for **{curve.ood}** is not clearly above chance at any level (highest: {value} at "
            f"λ = {format_value(curve.lam, 1)})"
        )
    if curve.on_plateau == 1:
        return (
            f"its AUROC for **{curve.ood}** peaks at **λ = {format_value(curve.lam, 1)}** with {value}, and no "
            "neighbouring level comes within 0.01 of that"
        )
    if curve.on_plateau == curve.levels:
        return f"its AUROC for **{curve.ood}** stays within 0.01 of its maximum, {value}, at every level measured"
    return (
        f"its AUROC for **{curve.ood}** stays within 0.01 of its maximum, {value}, from "
        f"**λ = {format_value(curve.first, 1)} to {format_value(curve.last, 1)}**"
    )
