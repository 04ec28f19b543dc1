"""Compose a detector CFS(K x L) out of cells, beside the published presets and the honest best cell."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from cfs_explore.figures.choices import Choices
from cfs_explore.store import Run
from cfs_explore.ui import open_cells
from cfs_explore.ui.figure import show_figure


def show_composer(run: Run, view: Choices) -> None:
    """Chips of the chosen cells, and the detectors on one line."""
    st.header("Compose a detector", anchor=False)
    cells = open_cells.choose_cells(run)
    show_figure("map-detectors", run, replace(view, cells=tuple(cells)), key="detectors")
