"""The foot of the stability page: what a level shares with the next, and what reusing its encoder costs (theory 34)."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from cfs_explore.figures.choices import Choices
from cfs_explore.figures.stability import PAIRS, SHARING
from cfs_explore.store import Run
from cfs_explore.ui import choosing, diagnostic_page, stability_causes
from cfs_explore.ui.figure import show_figure


def show(run: Run, view: Choices, *, everything: bool) -> None:
    """Both figures; where the stage is missing, the way to get it, and ``everything`` that is missing."""
    if diagnostic_page.stage_table(run, "sharing", everything=everything) is None:
        return
    left, right = st.container(key="beside_sharing").columns([5, 4], gap="large")
    with left:
        st.header(
            "How much of the encoder a level shares with the next",
            anchor=False,
            help="How alike a tap's whole maps are at two noise levels, neighbours or further apart, same image and "
            "noise. Samplers that use the encoder's work of an earlier step again (Faster Diffusion) rest on maps that "
            "hardly change.",
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            shared, pairs = choosing.choose(SHARING, run), choosing.choose(PAIRS, run)
        show_figure(
            "stability-sharing",
            run,
            replace(view, options={SHARING.name: shared, PAIRS.name: pairs}),
            key="stability_shared",
            hint="Click a line to choose its tap.",
            on_select=lambda: stability_causes.pick("stability_shared", run),
        )
    with right:
        st.header(
            "What reusing the encoder costs",
            anchor=False,
            help="What the noise estimate loses when the decoder gets all that it takes from encoder and middle "
            "as it was at another level, while it is itself conditioned on its own. 0: nothing changes; 1: as wrong as "
            "an estimate of 0.",
        )
        show_figure("stability-reuse", run, view, key="stability_reused")
