"""The protocol page's alignments: the map with its levels put elsewhere, and how much that changes (theory 1)."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from cfs_explore.figures import format_estimate
from cfs_explore.figures.sensitivity_words import variant_label
from cfs_explore.figures.theme import format_value
from cfs_explore.headlines.protocol import alignment_headline
from cfs_explore.levels import RELATIVE_ALIGNMENTS
from cfs_explore.plates import protocol_alignment as plates
from cfs_explore.store import Run
from cfs_explore.ui import diagnostic_page, state
from cfs_explore.ui.figure import show_plate
from cfs_explore.ui.sidebar import escape


def show(run: Run, ood: str, others: Sequence[Run]) -> str:
    """The view; returns its headline, "" where the stage has not run."""
    table = diagnostic_page.stage_table(run, "sensitivity")
    if table is None:
        return ""
    rows = table[table["ood"] == ood].reset_index(drop=True)
    show_plate(plates.sensitivity(run, ood, rows, state.figure_theme()), key="protocol_sensitivity")
    _maps(run, ood, rows)
    reference = run.manifest.spec.get("reference")
    if reference is None:
        names = " and ".join(variant_label(name) for name in RELATIVE_ALIGNMENTS)
        st.caption(
            f"Alignment by {names} compares with another backbone: measure an exploration with `reference: "
            "<another exploration>` in its spec to see them here."
        )
    return alignment_headline(escape(ood), rows, {name: variant_label(name) for name in rows["variant"]})


def _maps(run: Run, ood: str, rows: pd.DataFrame) -> None:
    """The map under every variant, on one colour scale."""
    st.header("The map under each alignment", anchor=False)
    table = run.table("alignment_maps")
    cells, levels = table[table["ood"] == ood], run.table("alignment_levels")
    show_plate(plates.maps(run, ood, rows, cells, levels, state.figure_theme()), key="strip_protocol")
    moves = [_move(row) for row in rows.itertuples() if row.variant != row.baseline]
    with st.expander("Where the best cell moves"):
        st.markdown("\n".join(moves))


def _move(row) -> str:
    name = variant_label(row.variant)
    place = f"λ = {format_value(row.best_lam, 1)}, {escape(row.best_tap)}"
    if (row.best_tap, row.best_requested) == (row.baseline_tap, row.baseline_requested):
        return f"- **{name}**: stays ({place})"
    cost = format_estimate(row.cost_of_moving, row.cost_of_moving_lo, row.cost_of_moving_hi)
    by = f"{row.moved_levels:+d} levels and {row.moved_depth:+.0%} of depth"
    return f"- **{name}**: to {place}; by {by}; loses {cost}"
