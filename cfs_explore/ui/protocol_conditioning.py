"""The protocol page's conditioning: what the map loses under wrong conditioning (theory 1)."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from cfs_explore.charts.conditioning_lines import PUBLISHED
from cfs_explore.figures import protocol_conditioning as figures
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.protocol_tables import conditioning_summary
from cfs_explore.headlines.protocol import conditioning_headline
from cfs_explore.store import Run
from cfs_explore.ui import choosing, diagnostic_page
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.sidebar import escape


def show(run: Run, view: Choices) -> str:
    """The view; returns its headline, "" where the stage has not run."""
    if diagnostic_page.stage_table(run, "conditioning") is None:
        return ""
    variant = choosing.choose(figures.CONDITIONING, run)
    left, right = st.container(key="beside_conditioning").columns([5, 4], gap="large")
    with left:
        found = show_figure(
            "protocol-told", run, replace(view, options={figures.CONDITIONING.name: variant}), key="protocol_loss"
        )
    if not found:
        return ""
    with right:
        st.header("By the error of the conditioning", anchor=False)
        show_figure("protocol-conditioning", run, view, key="protocol_offsets")
    table = figures.losses(run, view)
    if PUBLISHED not in set(table["variant"]):
        st.caption("The published code conditions this backbone on its true level, so it is not shown apart.")
    return conditioning_headline(escape(view.ood), conditioning_summary(table))
