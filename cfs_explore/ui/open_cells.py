"""The open cell and the composed cells: by name in the address, by index (level * taps + tap) in the session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from cfs_explore.errors import RunError
from cfs_explore.figures.cells import cell_names, find_cell
from cfs_explore.figures.choices import default_cells
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
            told = st.query_params.get(key, "").split(",")
            lost += [name for name in called if name not in names and not set(told) <= set(names)]
        st.session_state[key] = now[0] if key == "cell" else list(now)
    if lost:
        st.info(
            f"{escape(run.name)} has no {escape(', '.join(dict.fromkeys(lost)))}, which was open or composed before.",
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
