"""The protocol page's side by side: two or three explorations on one colour scale, and where they differ."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from cfs_explore.figures.signed_map import shared_reach
from cfs_explore.headlines.protocol import comparison_headline
from cfs_explore.plates import protocol_compare as plates
from cfs_explore.plates.needs import NotMeasuredError
from cfs_explore.protocol import compare
from cfs_explore.store import Run
from cfs_explore.ui import data, state
from cfs_explore.ui.figure import show_plate
from cfs_explore.ui.sidebar import escape


@data.kept(max_entries=32, show_spinner="Comparing cell by cell")
def compared(first: Run, second: Run, ood: str) -> pd.DataFrame:
    """``protocol.compare`` of two runs."""
    return compare(first, second, ood)


def show(run: Run, ood: str, others: Sequence[Run]) -> str:
    """The view; returns its headline, "" where there is nothing to compare with."""
    if not others:
        st.info(
            "Choose another exploration above to see it beside this one. There should be one of another backbone on "
            "the same image sets.",
            icon=":material/compare:",
        )
        st.page_link("pages/new.py", label="Make a new exploration", icon=":material/add_circle:")
        return ""
    known = [other for other in others if ood in other.ood_names]
    for other in others:
        if other not in known:
            names = ", ".join(other.ood_names)
            st.info(escape(f"{other.name} has no OOD set called {ood}; it has {names}."), icon=":material/info:")
    if not known:
        return ""
    frames = [compared(run, other, ood) for other in known]
    _maps([run, *known], ood)
    reach = shared_reach(pd.concat([frame["difference"] for frame in frames]))
    for other, frame in zip(known, frames, strict=True):
        _difference(run, other, ood, frame, reach)
    told = [(escape(other.name), frame) for other, frame in zip(known, frames, strict=True)]
    return comparison_headline(escape(ood), escape(run.name), told)


def _maps(runs: Sequence[Run], ood: str) -> None:
    """The maps beside each other; all have the fixed scale from 0 to 1."""
    for column, run in zip(st.container(key="beside_maps").columns(len(runs), gap="medium"), runs, strict=True):
        with column:
            st.header(escape(run.name), anchor=False)
            plate = plates.side_map(run, ood, run.auroc_map(ood), state.figure_theme())
            show_plate(plate, key=f"map_of_{run.path.name}")


def _difference(first: Run, second: Run, ood: str, frame: pd.DataFrame, reach: float) -> None:
    st.header(escape(f"{second.name} minus {first.name}"), anchor=False)
    try:
        plate = plates.difference(first, second, ood, frame, reach, state.figure_theme())
    except NotMeasuredError as error:
        st.info(str(error))
        return
    show_plate(plate, key=f"difference_{second.path.name}")
