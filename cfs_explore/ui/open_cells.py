"""The open cell and the composed cells: by name in the address, by index (level * taps + tap) in the session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from cfs_explore.errors import RunError
from cfs_explore.plates.cells import cell_names, find_cell
from cfs_explore.plates.choices import default_cells
from cfs_explore.store import Run
from cfs_explore.ui import state
from cfs_explore.ui.sidebar import escape

_NONE = "none"


def restore(run: Run) -> None:
    """Bring ``st.session_state["cell"]`` and ``["cells"]`` back from the address, before their widgets.

    Cells of the exploration that was shown before stay where this one has cells of these names; else the page says so.
    """
    names, default = cell_names(run), default_cells(run.table("detectors"))
    _carry_over(run, names, default)
    state.restore("cell", default[-1], range(len(names)), parse=partial(_read, run), write=names.__getitem__)
    state.restore("cells", default, parse=partial(_read_all, run), write=partial(_write_all, names))


def written(run: Run, *keys: str) -> dict[str, str]:
    """ "cell" or "cells" as the address says them; for ``state.remember``."""
    names = cell_names(run)
    writes: dict[str, Callable[..., str]] = {"cell": names.__getitem__, "cells": partial(_write_all, names)}
    return {key: writes[key](st.session_state[key]) for key in keys}


def _carry_over(run: Run, names: Sequence[str], default: Sequence[int]) -> None:
    before = st.session_state.get("cells_of", names)
    st.session_state["cells_of"] = names
    if before == names:
        return
    lost = []
    for key in ("cell", "cells"):
        if key not in st.session_state:
            continue
        value = st.session_state[key]
        called = [before[index] for index in ([value] if key == "cell" else value)]
        found = [names.index(name) for name in called if name in names]
        lost += [name for name in called if name not in names]
        st.session_state[key] = (found or [default[-1]])[0] if key == "cell" else found or list(default)
    if lost:
        st.info(
            f"{escape(run.name)} has no {escape(', '.join(dict.fromkeys(lost)))}, which was open or composed before. "
            f"Shown is {escape(names[st.session_state.get('cell', default[-1])])}.",
            icon=":material/info:",
        )


def _read(run: Run, text: str) -> int:
    try:
        return find_cell(run, text)
    except RunError as error:
        raise ValueError(text) from error


def _read_all(run: Run, text: str) -> list[int]:
    """Cells of an address: 'up1.res1@5,down0.res0@5', or '24.36' as older versions wrote."""
    if text == _NONE:
        return []
    parts = text.split("." if text.replace(".", "").isdigit() else ",")
    return list(dict.fromkeys(_read(run, part) for part in parts if part))


def _write_all(names: Sequence[str], cells: Sequence[int]) -> str:
    return ",".join(names[index] for index in cells) or _NONE
