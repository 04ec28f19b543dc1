"""What the controls page says in one sentence (theory 18)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from cfs_explore.contracts import SATURATED
from cfs_explore.wording import format_estimate

#: Control -> how a sentence begins about the image statistics.
_STATISTICS = {
    "statistics": "plain image statistics together reach",
    "best statistic": "the best plain image statistic alone reaches",
}


def controls_headline(ood: str, best: pd.DataFrame) -> str:
    """Markdown: does the trained backbone beat its untrained copies, and do plain statistics do as well?

    Args:
        ood: name of the OOD set.
        best: one row per control, best cell against best cell: control, auroc, auroc_lo, auroc_hi, trained, excess, lo,
            hi (of the excess).
    """
    rows = {row["control"]: row for row in best.to_dict("records")}
    untrained = rows.get("untrained")
    if untrained is None or not math.isfinite(untrained["excess"]):
        return f"Too few images of **{ood}** to pick a best cell on one half and judge it on the other."
    known = [row for name, row in rows.items() if name in _STATISTICS and math.isfinite(row["auroc"])]
    strongest = max(known, key=lambda row: row["auroc"], default=None)
    return f"For **{ood}**, {_against_untrained(untrained)}{_against_statistics(strongest)}."


def _against_untrained(row: Mapping) -> str:
    if min(row["trained"], row["auroc"]) > SATURATED:
        return (
            "both the trained backbone and its untrained copies separate nearly every image, which is **no evidence** "
            "for either"
        )
    interval = format_estimate(abs(row["excess"]), *sorted((abs(row["lo"]), abs(row["hi"]))))
    if row["lo"] > 0:
        return f"the trained backbone beats its untrained copies by **{interval}** AUROC, best cell against best cell"
    if row["hi"] < 0:
        return f"untrained copies **beat the trained backbone** by **{interval}** AUROC, best cell against best cell"
    return (
        "the trained backbone does **not** beat its untrained copies beyond chance: the best cells differ by "
        f"**{format_estimate(row['excess'], row['lo'], row['hi'])}** AUROC"
    )


def _against_statistics(row: Mapping | None) -> str:
    """How the strongest image statistics compare with the trained best cell; '' without any."""
    if row is None:
        return ""
    value = f"**{format_estimate(row['auroc'], row['auroc_lo'], row['auroc_hi'])}**"
    name = _STATISTICS[row["control"]]
    if min(row["trained"], row["auroc"]) > SATURATED:
        return f"; {name} {value}, so the backbone's AUROC is **no evidence** of what it learned"
    if row["hi"] < 0:
        return f"; {name} {value}, **more** than the trained backbone"
    if row["lo"] > 0:
        return f"; {name} {value}"
    return f"; {name} {value}, which the trained backbone does **not** exceed beyond chance"
