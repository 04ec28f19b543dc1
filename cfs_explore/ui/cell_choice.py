"""The open cell by the keyboard: what a click on a map does, for those who do not click."""

from __future__ import annotations

import streamlit as st

from cfs_explore.plates.detector import cell_label
from cfs_explore.store import Run

_KEY = "open_cell"


def choose_cell(run: Run) -> None:
    """A list of all cells beside the figure whose cells can be clicked; keeps ``st.session_state["cell"]``."""
    st.session_state[_KEY] = st.session_state["cell"]
    st.selectbox(
        "Open cell",
        range(len(run.levels) * len(run.taps)),
        key=_KEY,
        format_func=lambda index: cell_label(run, index),
        width=240,
        on_change=_open,
        help="Shown in detail. Type a part of a tap's name, or click in the figure.",
    )


def _open() -> None:
    st.session_state["cell"] = st.session_state[_KEY]
