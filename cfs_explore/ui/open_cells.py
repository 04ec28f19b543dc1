"""The open cell and the composed cells: by name in the address, by index (level * taps + tap) in the session."""

from __future__ import annotations

import streamlit as st

from cfs_explore.figures.cells import cell_names
from cfs_explore.figures.choices import default_cells
from cfs_explore.figures.options import split_names
from cfs_explore.figures.places import CELL, CELLS
from cfs_explore.store import Run
from cfs_explore.ui import choosing
from cfs_explore.ui.sidebar import escape


def restore(run: Run) -> None:
    """Bring ``st.session_state["cell"]`` and ``["cells"]`` back from the address, before their widgets.

    Cells of the exploration that was shown before stay where this one has cells of these names; else the page says so.
    """
    names, default = cell_names(run), default_cells(run)
    _carry_over(run, names, default)
    for control in (CELL, CELLS):
        choosing.restore(control, run)


def _carry_over(run: Run, names: list[str], default: list[int]) -> None:
    """What the session holds of the exploration before becomes what it is in this one; its defaults become defaults."""
    known, usual = st.session_state.get("cells_of", (names, default))
    st.session_state["cells_of"] = names, default
    if known == names:
        return
    lost: list[str] = []
    for key, former, now in (("cell", [usual[-1]], [default[-1]]), ("cells", usual, default)):
        if key not in st.session_state:
            continue
        chosen = [st.session_state[key]] if key == "cell" else st.session_state[key]
        if chosen != former:
            called = [known[index] for index in chosen]
            now = [names.index(name) for name in called if name in names] or (now if called else [])
            in_address = split_names(st.query_params.get(key, ""))
            lost += [name for name in called if name not in names and not set(in_address) <= set(names)]
        st.session_state[key] = now[0] if key == "cell" else list(now)
    if lost:
        st.info(
            f"{escape(run.name)} has no {escape(', '.join(dict.fromkeys(lost)))}, which was open or composed before.",
            icon=":material/info:",
        )


def choose_cells(run: Run) -> list[int]:
    """Chips of the composed cells, which can be searched here, too."""
    cells = choosing.draw(CELLS, run, placeholder="Search here, or click cells on the map")
    return [int(index) for index in cells]
