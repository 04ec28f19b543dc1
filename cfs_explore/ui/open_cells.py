"""The open cell and the composed cells: by name in the address, by number in the session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from cfs_explore.figures.choices import default_cells
from cfs_explore.figures.places import CELL, CELLS
from cfs_explore.store import Run
from cfs_explore.store.cell_names import cell_names
from cfs_explore.ui import choosing, state

#: Of the session: the cells that pages opened with by themselves, under the keys of their controls.
_UNCHOSEN = "cells_unchosen"


def restore(run: Run, *, cell: int | None = None, cells: Sequence[int] | None = None) -> None:
    """Bring ``st.session_state["cell"]`` and ``["cells"]`` back from the address, before their widgets.

    Cells of the exploration that was shown before stay where this one has cells of these names; ``state.restore`` says
    which of those that somebody chose it has not.

    Args:
        run: the exploration.
        cell, cells: what this page opens with; without, the published decoder's cell and the published pair. What
            another page opened with, and nobody chose, gives way to them.
    """
    published = default_cells(run)
    opening = {
        "cell": published[-1] if cell is None else cell,
        "cells": published if cells is None else list(cells),
    }
    unchosen = st.session_state.setdefault(_UNCHOSEN, {})
    _carry_over(run, opening, unchosen)
    for control in (CELL, CELLS):
        key = control.name
        own = key == "cells" or cell is not None
        if own and key not in st.query_params and key in unchosen and st.session_state.get(key) == unchosen[key]:
            st.session_state[key] = opening[key]
        if choosing.restore(replace(control, default=lambda run, key=key: opening[key]), run) == opening[key]:
            unchosen[key] = opening[key]


def follow(run: Run, cell: int) -> None:
    """Open another cell in place of the one that the page opened by itself; one that was chosen stays."""
    unchosen = st.session_state[_UNCHOSEN]
    if st.session_state["cell"] != unchosen.get("cell"):
        return
    st.session_state["cell"] = unchosen["cell"] = cell
    if "cell" not in st.query_params:
        state.imply(cell=CELL.write(cell, run))


def _carry_over(run: Run, opening: dict[str, Any], unchosen: dict[str, Any]) -> None:
    """What the session holds of the exploration before becomes what it is in this one, or what the page opens with."""
    names = cell_names(run)
    known = st.session_state.get("cells_of", names)
    st.session_state["cells_of"] = names
    if known == names:
        return
    for key in ("cell", "cells"):
        if key not in st.session_state:
            continue
        value = st.session_state[key]
        if value == unchosen.get(key):
            state.forget(key)
            st.session_state[key] = opening[key]
            continue
        called = [known[index] for index in ([value] if key == "cell" else value)]
        now = [names.index(name) for name in called if name in names]
        st.session_state[key] = opening[key] if called and not now else now[0] if key == "cell" else now
    unchosen.clear()


def choose_cells(run: Run) -> list[int]:
    """Chips of the composed cells, which can be searched here, too."""
    cells = choosing.draw(CELLS, run, placeholder="Search here, or click cells on the map")
    return [int(index) for index in cells]
