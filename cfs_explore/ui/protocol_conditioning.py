"""The protocol page's conditioning: what the map loses when the network is told a wrong level (theory 1)."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cfs_explore.figures.conditioning_lines import PUBLISHED
from cfs_explore.headlines.protocol import conditioning_headline
from cfs_explore.plates import protocol_conditioning as plates
from cfs_explore.protocol import conditioning_summary, with_regions
from cfs_explore.store import Run
from cfs_explore.ui import diagnostic_page, state
from cfs_explore.ui.figure import show_plate
from cfs_explore.ui.sidebar import escape


def restore(run: Run) -> None:
    """Bring the choice back from the address."""
    names = _variants(run)
    state.restore("protocol_told", names[-1] if names else "", names or [""])


def _variants(run: Run) -> list[str]:
    """What the network was told, the truth left out; none where the stage has not run."""
    if not run.has_table("conditioning"):
        return []
    return plates.variants(run.table("conditioning"))


def show(run: Run, ood: str, others: Sequence[Run]) -> str:
    """The view; returns its headline, "" where the stage has not run."""
    table = diagnostic_page.stage_table(run, "conditioning")
    if table is None:
        return ""
    table = with_regions(run, table[table["ood"] == ood]).reset_index(drop=True)
    told = st.segmented_control(
        "The network is told a level",
        _variants(run),
        key="protocol_told",
        format_func=plates.told_label,
        required=True,
        help="In log-SNR, beside the level that it sees. As published: what the code of the paper tells it, where that "
        "differs for this backbone.",
    )
    state.remember(protocol_told=told)
    left, right = st.container(key="beside_conditioning").columns([5, 4], gap="large")
    with left:
        show_plate(plates.loss_map(run, ood, table, told, state.figure_theme()), key="protocol_loss")
    with right:
        st.header("By how wrong it is", anchor=False)
        show_plate(plates.loss_by_offset(run, ood, table, state.figure_theme()), key="protocol_offsets")
    if PUBLISHED not in set(table["variant"]):
        st.caption("The published code tells this backbone its true level, so there is nothing else to compare with.")
    return conditioning_headline(escape(ood), conditioning_summary(table))
