"""Compose a detector CFS(K x L) out of cells, beside the published presets and the honest best cell."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from cfs_explore.plates import map as plates
from cfs_explore.store import Run
from cfs_explore.ui import data
from cfs_explore.ui.figure import kept_plate, show_plate


@data.kept(max_entries=256)
def composed_row(run: Run, ood: str, cells: tuple[int, ...]) -> dict:
    """The composed detector's numbers."""
    id_scores, ood_scores = (run.scores(*which) for which in (("id_test", None), ("ood", ood)))
    return plates.composed_row(run, ood, id_scores, ood_scores, cells)


def detector_rows(run: Run, ood: str, cells: list[int]) -> pd.DataFrame:
    """The composed detector, the presets, and the best single cell, honest and naive."""
    composed = composed_row(run, ood, tuple(cells)) if cells else None
    tables = (run.table(name) for name in ("detectors", "best_cell"))
    return plates.detector_rows(run, ood, cells, composed, *tables)


def show_composer(run: Run, ood: str, label) -> None:
    """Chips of the chosen cells, and the detectors on one line.

    Args:
        run: the exploration.
        ood: name of the OOD set.
        label: cell index -> what the chip says.
    """
    st.header("Compose a detector", anchor=False)
    st.multiselect(
        "Cells whose slot scores are averaged",
        range(len(run.levels) * len(run.taps)),
        key="cells",
        format_func=label,
        placeholder="Click cells on the map, or search here",
        help="CFS(K x L): the plain mean of the slot scores of K levels x L taps. To pick cells on the map, set its "
        "click to compose; the x of a chip removes one.",
    )
    cells = [int(i) for i in st.session_state["cells"]]
    rows = detector_rows(run, ood, cells)
    if rows.empty:
        st.info("Choose at least one cell to compose a detector.")
        return
    plate = kept_plate(run, "detectors", (ood, tuple(cells)), lambda theme: plates.detectors(run, ood, rows, theme))
    show_plate(plate, key="detectors")
