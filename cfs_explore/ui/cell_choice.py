"""The open cell by widgets: what a click on a map does, for those who do not click."""

from __future__ import annotations

import streamlit as st

from cfs_explore.charts import short_tap_name
from cfs_explore.charts.theme import format_value
from cfs_explore.figures.detector import cell_label
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


def choose_level_and_tap(run: Run, prefix: str) -> None:
    """The cell by its level and its tap; ``prefix`` tells the widgets of one page from another's."""
    keys = (f"{prefix}_level", f"{prefix}_tap")
    st.session_state[keys[0]], st.session_state[keys[1]] = divmod(st.session_state["cell"], len(run.taps))

    def choose() -> None:
        st.session_state["cell"] = st.session_state[keys[0]] * len(run.taps) + st.session_state[keys[1]]

    st.selectbox(
        "Noise level",
        range(len(run.levels)),
        key=keys[0],
        format_func=lambda k: f"λ = {format_value(run.levels[k].lam, 1)}",
        width=150,
        on_change=choose,
        help="Log-SNR λ of the noise that the backbone's input carries: high is clean, low is noisy.",
    )
    st.selectbox(
        "Tap",
        range(len(run.taps)),
        key=keys[1],
        format_func=lambda t: f"{short_tap_name(run.taps[t].name)} ({run.taps[t].region})",
        width=260,
        on_change=choose,
        help="Where inside the backbone the activations are read; in order of execution.",
    )
