"""What the map page says in one sentence, of a finished map or of one that grows."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from cfs_explore.charts import format_estimate, short_tap_name
from cfs_explore.contracts import Level, Tap
from cfs_explore.wording import format_value


def map_headline(ood: str, best: pd.DataFrame, levels: Sequence[Level], taps: Sequence[Tap]) -> str:
    """Markdown: where the signal of an OOD set is strongest, and how strong (theory 3).

    Args:
        ood: name of the OOD set.
        best: the table ``best_cell``.
        levels, taps: of the map.
    """
    row = _row_of(ood, best)
    if row is None:
        return f"Too few images of **{ood}** to say where its signal lives."
    tap, level = taps[int(row["cell_index"]) % len(taps)], levels[int(row["cell_index"]) // len(taps)]
    value = format_estimate(row["honest"], row["honest_lo"], row["honest_hi"])
    if row["honest_lo"] <= 0.5:
        return f"For **{ood}**, no single cell clearly tells OOD from ID: the best has AUROC {value}."
    return (
        f"For **{ood}**, the signal is strongest in the **{tap.region}** ({short_tap_name(tap.name)}) at "
        f"**λ = {format_value(level.lam, 1)}**: the best cell picked on one half of the images has AUROC **{value}** "
        "on the other."
    )


def strongest_set(best: pd.DataFrame, names: Sequence[str]) -> str:
    """The OOD set whose best cell is surest to tell it from ID; the first where none has a best cell."""
    rows = {name: _row_of(name, best) for name in names}
    return max(names, key=lambda name: -1.0 if rows[name] is None else rows[name]["honest_lo"])


def _row_of(ood: str, best: pd.DataFrame) -> pd.Series | None:
    rows = best[best["ood"] == ood] if len(best) else best
    return None if rows.empty else rows.iloc[0]
