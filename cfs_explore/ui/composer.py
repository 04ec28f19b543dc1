"""Compose a detector CFS(K x L) out of cells, beside the published presets and the honest best cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from cfs_explore.figures.choices import Choices
from cfs_explore.figures.detector import preset_cells
from cfs_explore.figures.map import BESIDE
from cfs_explore.headlines.map import best_cell_of
from cfs_explore.store import Run
from cfs_explore.ui import choosing, open_cells
from cfs_explore.ui.figure import show_figure


def show_composer(run: Run, view: Choices) -> None:
    """Chips of the chosen cells, the presets to start from, and the detectors on one line."""
    st.header("Compose a detector", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom", key="composer"):
        cells = open_cells.choose_cells(run)
        with st.container(horizontal=True, width="content"):  # they go to the next line together
            for name, preset in _starts(run, view.ood).items():
                st.button(
                    name,
                    key=f"compose_{name}",
                    icon=":material/add_circle:",
                    on_click=_compose,
                    args=(preset,),
                    help="Put these cells, and no others, into the detector.",
                )
        if BESIDE.labels(run):
            choosing.draw(BESIDE, run, placeholder="Other detectors")
            choosing.remember(run, BESIDE)
    options = {BESIDE.name: BESIDE.write(st.session_state[BESIDE.name], run)}
    show_figure("map-detectors", run, replace(view, cells=tuple(cells), options=options), key="detectors")


def _starts(run: Run, ood: str) -> dict[str, Sequence[int]]:
    """What one click composes: name -> cells."""
    best = best_cell_of(ood, run.table("best_cell"))
    return preset_cells(run) | ({} if best is None else {"Best cell": [best]})


def _compose(cells: Sequence[int]) -> None:
    st.session_state["cells"] = list(cells)
