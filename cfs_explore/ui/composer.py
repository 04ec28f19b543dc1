"""Compose a detector CFS(K x L) out of cells, beside the published presets and the honest best cell."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from cfs_explore.figures.choices import Choices
from cfs_explore.figures.detector import cell_label
from cfs_explore.store import Run
from cfs_explore.ui.figure import show_figure


def show_composer(run: Run, view: Choices) -> None:
    """Chips of the chosen cells, and the detectors on one line."""
    st.header("Compose a detector", anchor=False)
    cells = st.multiselect(
        "Cells whose slot scores are averaged",
        range(len(run.levels) * len(run.taps)),
        key="cells",
        format_func=lambda cell: cell_label(run, cell),
        placeholder="Click cells on the map, or search here",
        help="CFS(K x L): the plain mean of the slot scores of K levels x L taps. To pick cells on the map, set its "
        "click to compose; the x of a chip removes one.",
    )
    show_figure("map-detectors", run, replace(view, cells=tuple(map(int, cells))), key="detectors")
