"""What the prediction page says in one sentence (theory 17)."""

from __future__ import annotations

import math
from collections.abc import Mapping

from cfs_explore.wording import format_estimate


def prediction_headline(ood: str, ranking: Mapping, policies: Mapping[str, Mapping], lam: str) -> str:
    """Markdown: how well proxies rank the cells of one OOD set, and what trusting them costs.

    Args:
        ood: what the set is called.
        ranking: spearman with spearman_lo, spearman_hi, and left_out (kinds of proxy, or nothing).
        policies: policy -> its row of the regret table: regret with regret_lo, regret_hi.
        lam: log-SNR of the published detectors, as text.
    """
    return f"{_ranks(ood, ranking)}{_costs(policies, lam)}"


def _ranks(ood: str, ranking: Mapping) -> str:
    value, lo, hi = (ranking[name] for name in ("spearman", "spearman_lo", "spearman_hi"))
    if not math.isfinite(value):
        return f"Proxies made from ID images cannot rank the cells for **{ood}**"
    estimate = f"Spearman **{format_estimate(value, lo, hi)}**"
    if not math.isfinite(lo):
        return f"Proxies made from ID images rank the cells for **{ood}** with {estimate}"
    if lo > 0:
        return f"Proxies made from ID images **rank the cells** for **{ood}** with {estimate}"
    if hi < 0:
        return f"Proxies made from ID images rank the cells for **{ood}** **the wrong way round**: {estimate}"
    return f"Proxies made from ID images do **not** rank the cells for **{ood}** beyond chance: {estimate}"


def _costs(policies: Mapping[str, Mapping], lam: str) -> str:
    """What the proxies' choice and the fixed one lose to the best cell."""
    proxy, fixed = (_loss(policies.get(name)) for name in ("proxy", "fixed"))
    if proxy is None and fixed is None:
        return "."
    if proxy is None:
        return f"; against the best cell, the fixed choice λ = {lam} {fixed}."
    text = f"; against the best cell, the cell they choose {proxy}"
    return f"{text}." if fixed is None else f"{text}, the fixed choice λ = {lam} {fixed}."


def _loss(row: Mapping | None) -> str | None:
    """'loses 0.191 [0.158, 0.225] AUROC', or that it loses nothing; None without a number."""
    if row is None or not math.isfinite(row["regret"]):
        return None
    if row["regret"] == row["regret_lo"] == row["regret_hi"] == 0:
        return "loses **nothing**"
    estimate = format_estimate(row["regret"], row["regret_lo"], row["regret_hi"])
    if row["regret_lo"] <= 0:
        return f"loses **nothing beyond chance** ({estimate} AUROC)"
    return f"loses **{estimate}** AUROC"
