"""The lab page: simulated scores whose truth is known, so that every formula can be watched at work."""

from __future__ import annotations

import streamlit as st

from cfs_explore.ui import lab_pair, lab_settings, lab_tap, state
from cfs_explore.ui.damage import fragment

EXPERIMENTS = {"tap": "One tap", "pair": "Two taps"}


def show() -> None:
    """The whole page; it needs no exploration."""
    state.restore("lab", "tap", list(EXPERIMENTS))
    _page()


@fragment
def _page() -> None:
    st.title("What do the formulas do?", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control(
            "Experiment",
            list(EXPERIMENTS),
            key="lab",
            format_func=EXPERIMENTS.get,
            required=True,
            help="One tap: from features to a score, its distributions and its AUROC. Two taps: an encoder and a "
            "decoder score, and when averaging them hurts.",
        )
        lab_settings.draw_again()
    state.remember(lab=st.session_state["lab"])
    if st.session_state["lab"] == "tap":
        lab_tap.show()
    else:
        lab_pair.show()
