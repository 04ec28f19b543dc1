"""The map so far, on the page of a run that is being measured: it is drawn again as it grows, and can be clicked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import streamlit as st

from cfs_explore.figures.choices import choose, opening_set
from cfs_explore.figures.detector import cell_label
from cfs_explore.figures.map import headline, opening_cell
from cfs_explore.store import Run
from cfs_explore.store.growing import MOST_IMAGES, growing_map
from cfs_explore.ui import data, state
from cfs_explore.ui.cell_panel import show_cell
from cfs_explore.ui.damage import fragment
from cfs_explore.ui.figure import picked, show_figure

#: Of the session and the address, so that a page that is loaded anew shows the same.
_OOD, _CELL = "growing_ood", "growing_cell"
_CHART = "growing_map"


def has_map(run: Path) -> bool:
    """Whether there is a map so far."""
    return growing_map(run) is not None


def view() -> dict[str, str]:
    """What the visitor looks at, as the map page's address has it."""
    known = {"ood": st.session_state.get(_OOD), "cell": st.session_state.get(_CELL)}
    return {key: str(value) for key, value in known.items() if value is not None}


@fragment
def show_growing_map(run: Path) -> None:
    """The map of the images measured so far, for one OOD set, with a cell beside it; nothing before the first."""
    place = growing_map(run)
    if place is None:
        return
    so_far = data.load_run(place)
    st.header("The map so far", anchor=False)
    ood = _choose_set(so_far, opening_set(so_far))
    st.markdown(headline(so_far, ood, elsewhere=False))
    frame = so_far.auroc_map(ood)
    cell = state.restore(
        _CELL,
        None,
        [None, *range(len(frame))],
        parse=int,
        lacking=f"{so_far.name} has no cell with the number",
        label=lambda cell: "the best cell" if cell is None else cell_label(so_far, cell),
    )
    if cell is None:
        cell = opening_cell(so_far, ood)
    shown = replace(choose(so_far, ood=ood), cell=cell, cells=())
    with st.container(key="beside_growing"):
        left, right = st.columns([5, 3], gap="large")
    with left:
        show_figure("map-heatmap", so_far, shown, key=_CHART, hint=_count(so_far, ood), on_select=_pick_cell)
        below = st.container()
    with right:
        st.subheader(cell_label(so_far, cell), anchor=False)
        show_cell(so_far, shown, below)


def _choose_set(so_far: Run, first: str) -> str:
    """The OOD set on show: that with most to see at first, which stays until another is chosen."""
    shown = state.restore(_OOD, first, so_far.ood_names, lacking=f"{so_far.name} has no OOD set")
    _note_set()
    if len(so_far.ood_names) == 1:
        return shown
    what = "Sets of which some images are measured; the others follow."
    names = so_far.ood_names
    return st.segmented_control("OOD set", names, key=_OOD, help=what, required=True, on_change=_note_set)


def _note_set() -> None:
    state.remember(**{_OOD: st.session_state[_OOD]})


def _count(so_far: Run, ood: str) -> str:
    """How much of the run it rests on."""
    n_id, n_ood = so_far.id_test.count, so_far.entry("ood", ood).count
    more = (
        f"It shows at most about {MOST_IMAGES:,} images of a set; the finished map has all."
        if n_ood >= MOST_IMAGES
        else "It is updated as more are measured."
    )
    return f"So far {n_id:,} ID and {n_ood:,} OOD images, drawn at random. {more} Click a cell to open it."


def _pick_cell() -> None:
    if clicked := picked(_CHART):
        st.session_state[_CELL] = clicked[-1]
        state.remember(**{_CELL: clicked[-1]})
