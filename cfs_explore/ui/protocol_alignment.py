"""The protocol page's alignments: the map with its levels put elsewhere, and how much that changes (theory 1)."""

from __future__ import annotations

import streamlit as st

from cfs_explore.charts.sensitivity_words import variant_label
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.protocol_alignment import variants
from cfs_explore.headlines.protocol import alignment_headline
from cfs_explore.levels import RELATIVE_ALIGNMENTS
from cfs_explore.store import Run
from cfs_explore.ui import diagnostic_page
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.sidebar import escape
from cfs_explore.wording import format_estimate, format_signed, format_value


def show(run: Run, view: Choices) -> str:
    """The view; returns its headline, "" where the stage has not run."""
    if diagnostic_page.stage_table(run, "sensitivity") is None:
        return ""
    if not show_figure("protocol-sensitivity", run, view, key="protocol_sensitivity"):
        return ""
    rows = variants(run, view)
    st.header("The map under each alignment", anchor=False)
    show_figure("protocol-alignments", run, view, key="strip_protocol")
    with st.expander("Where the best cell moves"):
        st.markdown("\n".join(_move(row) for row in rows.itertuples() if row.variant != row.baseline))
    reference = run.manifest.spec.get("reference")
    if reference is None:
        names = " and ".join(variant_label(name) for name in RELATIVE_ALIGNMENTS)
        st.caption(
            f"Alignment by {names} compares with another backbone: measure an exploration with `reference: "
            "<another exploration>` in its spec to see them here."
        )
    return alignment_headline(escape(view.ood), rows, {name: variant_label(name) for name in rows["variant"]})


def _move(row) -> str:
    name = variant_label(row.variant)
    place = f"λ = {format_value(row.best_lam, 1)}, {escape(row.best_tap)}"
    if (row.best_tap, row.best_requested) == (row.baseline_tap, row.baseline_requested):
        return f"- **{name}**: stays ({place})"
    cost = format_estimate(row.cost_of_moving, row.cost_of_moving_lo, row.cost_of_moving_hi)
    by = f"{format_signed(row.moved_levels, 0)} levels and {format_signed(100 * row.moved_depth, 0)} % of depth"
    return f"- **{name}**: to {place}; by {by}; loses {cost}"
