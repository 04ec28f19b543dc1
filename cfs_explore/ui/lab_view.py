"""The lab page: simulated scores whose truth is known, so that every formula can be watched at work."""

from __future__ import annotations

import streamlit as st

from cfs_explore.figures.options import Control
from cfs_explore.ui import choosing, lab_pair, lab_settings, lab_tap
from cfs_explore.ui.damage import fragment

EXPERIMENT = Control(
    "lab",
    "Experiment",
    {"tap": "One tap", "pair": "Two taps"},
    help="One tap: from features to a score, its distributions and its AUROC. Two taps: an encoder and a "
    "decoder score, and when averaging them hurts.",
)


@fragment
def show() -> None:
    """The whole page; it needs no exploration."""
    st.title("What do the formulas do?", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        experiment = choosing.choose(EXPERIMENT)
        lab_settings.draw_again()
    if experiment == "tap":
        lab_tap.show()
    else:
        lab_pair.show()
