"""What is said of near, far and shifted OOD sets together (theory 36)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from cfs_explore.diagnostics.set_groups import FULL, STANDARD
from cfs_explore.wording import counted, format_estimate, listed


def group_label(row: Mapping) -> str:
    """'near', 'near, full spectrum': a row of ``set_group_table``."""
    return row["set_group"] + (", full spectrum" if row["spectrum"] == FULL else "")


def set_words(count: int) -> str:
    """'3 sets'; 'one set', which has no spread over sets."""
    return "one set" if count == 1 else counted(count, "set")


def set_groups_headline(name: str, table: pd.DataFrame) -> str:
    """Markdown: what a detector reaches on the groups, standard and in the full spectrum.

    Args:
        name: of the detector.
        table: its rows of ``set_group_table``.
    """
    means = table[table["ood"] == ""]
    plain = means[(means["spectrum"] == STANDARD) & (means["set_group"] != "covariate")]
    shifted = means[(means["spectrum"] == STANDARD) & (means["set_group"] == "covariate")]
    full = means[means["spectrum"] == FULL]
    sentences = []
    if len(plain):
        sentences.append(f"**{name}** has AUROC {listed([_estimate(row) for row in plain.to_dict('records')])}.")
    if len(full):
        values = listed([_estimate(row, counted_sets=False) for row in full.to_dict("records")])
        below = " Below 0.5, shifted ID images stand out more than OOD images." * bool((full["hi"] < 0.5).any())
        sentences.append(f"With shifted ID images counted as ID (full spectrum): {values}.{below}")
    elif len(shifted):
        sentences.append(f"**{name}** has AUROC {_estimate(shifted.iloc[0])}.")
    return " ".join(sentences)


def _estimate(row: Mapping, *, counted_sets: bool = True) -> str:
    sets = f" ({set_words(int(row['set_count']))})" if counted_sets else ""
    return f"**{format_estimate(row['auroc'], row['lo'], row['hi'])}** on {row['set_group']} sets{sets}"


def no_full_spectrum(groups: Mapping[str, Sequence[str]]) -> str:
    """Why a run has no full-spectrum AUROC; "" where it has."""
    if "covariate" not in groups:
        return "No full-spectrum AUROC: no set is in the group covariate, whose images would count as ID."
    if not {"near", "far"} & set(groups):
        return "No full-spectrum AUROC: no set is near or far."
    return ""
