"""The open cell by widgets: what a click on a map does, for those who do not click."""

from __future__ import annotations

import streamlit as st

from cfs_explore.figures.places import CELL, LEVEL, TAP
from cfs_explore.store import Run
from cfs_explore.ui import choosing
from cfs_explore.ui.figure import picked


def open_cell(index: int) -> None:
    """What a button does that leads to a cell."""
    st.session_state["cell"] = index


def open_clicked(chart: str) -> None:
    """What a click on a point of a chart does; ``chart`` is its key."""
    if cells := picked(chart):
        open_cell(cells[-1])


def choose_cell(run: Run) -> None:
    """A list of all cells beside the figure whose cells can be clicked; keeps ``st.session_state["cell"]``."""
    key = "open_cell"
    st.session_state[key] = st.session_state["cell"]

    def choose() -> None:
        st.session_state["cell"] = st.session_state[key]

    choosing.draw(CELL, run, key=key, on_change=choose)


def choose_level_and_tap(run: Run, prefix: str) -> None:
    """The cell by its level and its tap; ``prefix`` distinguishes the widgets of one page from another's."""
    keys = (f"{prefix}_level", f"{prefix}_tap")
    st.session_state[keys[0]], st.session_state[keys[1]] = run.cell(st.session_state["cell"])

    def choose() -> None:
        st.session_state["cell"] = run.cell_number(*(st.session_state[key] for key in keys))

    for control, key in zip((LEVEL, TAP), keys, strict=True):
        choosing.draw(control, run, key=key, on_change=choose)
