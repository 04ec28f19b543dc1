"""What the complementarity page says in one sentence (theory 4, 8)."""

from __future__ import annotations

import math
from collections.abc import Mapping

from cfs_explore.contracts import SATURATED
from cfs_explore.wording import format_estimate, format_value


def complementarity_headline(row: Mapping, lam: float, encoder: str, decoder: str) -> str:
    """Markdown: what averaging the two is worth, and whether the second knows what the first does not.

    Args:
        row: of ``diagnostics.complementarity`` for the pair.
        lam: log-SNR of the level.
        encoder, decoder: how the two scores are called, such as "the encoder"; Markdown.
    """
    at = f"At **λ = {format_value(lam, 1)}**"
    if not math.isfinite(row["auroc_gain"]):
        return f"{at}, there are too few images to compare {encoder} and {decoder}."
    return f"{at}, {_average(row, encoder, decoder)}{_adjusted(row, encoder, decoder)}"


def _average(row: Mapping, encoder: str, decoder: str) -> str:
    """The paired comparison of the average with the better one alone."""
    better, other = (decoder, encoder) if row["better"] == "decoder" else (encoder, decoder)
    value, lo, hi = row["auroc_gain"], row["auroc_gain_lo"], row["auroc_gain_hi"]
    if row["auroc_e"] == row["auroc_d"] == 1:
        return f"{encoder} and {decoder} each separate every image alone: nothing is left to add"
    if max(row["auroc_e"], row["auroc_d"]) == 1:
        return f"{better} alone already separates every image: nothing is left for {other} to add"
    if max(row["auroc_e"], row["auroc_d"]) > SATURATED and row["auroc_avg"] > SATURATED:
        return f"{better} alone already separates nearly every image: a comparison with {other} is **no evidence**"
    if lo > 0:
        return f"{other} adds **{format_estimate(value, lo, hi)}** AUROC to {better} (paired)"
    if hi < 0:
        cost = format_estimate(-value, -hi, -lo)
        return f"averaging in {other} **costs {cost}** AUROC compared with {better} alone (paired)"
    sign = "+" if value > 0 else ""
    return (
        f"averaging {encoder} and {decoder} is not clearly better or worse than {better} alone: "
        f"**{sign}{format_estimate(value, lo, hi)}** AUROC (paired)"
    )


def _adjusted(row: Mapping, encoder: str, decoder: str) -> str:
    """The covariate-adjusted AUROC of the decoder given the encoder."""
    value, lo, hi = row["adjusted_d"], row["adjusted_d_lo"], row["adjusted_d_hi"]
    if row["auroc_e"] == 1:
        return "."
    if not math.isfinite(value):
        return f". No OOD image scores like an ID image in {encoder}, so nothing is left for {decoder} to tell apart."
    estimate = f"AUROC **{format_estimate(value, lo, hi)}**"
    alike = f"among images that {encoder} scores alike, {decoder}"
    if lo > 0.5:
        return f"; {alike} still tells OOD from ID ({estimate})."
    if hi < 0.5:
        return f"; {alike} scores OOD **lower** than ID ({estimate})."
    return f"; {alike} does not clearly tell OOD from ID ({estimate})."
