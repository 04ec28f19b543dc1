"""The protocol page's side by side: two or three explorations on one colour scale, and where they differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import streamlit as st

from cfs_explore.errors import CFSError
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.protocol_tables import compare
from cfs_explore.headlines.protocol import comparison_headline
from cfs_explore.store import Run
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.sidebar import escape


def those_that(runs: Sequence[Run], read: Callable[[Run], object]) -> tuple[Run, ...]:
    """The explorations that have what ``read`` reads; a line on the page about the others."""
    found = []
    for run in runs:
        try:
            read(run)
        except CFSError as error:
            st.caption(escape(str(error)))
        else:
            found.append(run)
    return tuple(found)


def show(run: Run, view: Choices) -> str:
    """The view; returns its headline, "" where there is nothing to compare with."""
    if not view.beside:
        st.info(
            "Choose another exploration above to see it beside this one, ideally of another backbone on the same "
            "image sets.",
            icon=":material/compare:",
        )
        st.page_link("pages/new.py", label="Make a new exploration", icon=":material/add_circle:")
        return ""
    known = [other for other in view.beside if view.ood in other.ood_names]
    for other in view.beside:
        if other not in known:
            names = ", ".join(other.ood_names)
            st.info(escape(f"{other.name} has no OOD set called {view.ood}; it has {names}."), icon=":material/info:")
    if not known:
        return ""
    with st.spinner("Comparing cell by cell"):
        compared = [(escape(other.name), run.derived(compare, other, view.ood)) for other in known]
    columns = st.container(key="beside_maps").columns(1 + len(known), gap="medium")
    for column, each in zip(columns, (run, *known), strict=True):
        with column:
            st.header(escape(each.name), anchor=False)
            show_figure("compare-map", each, view, key=f"map_of_{each.path.name}")
    for other in known:
        st.header(escape(f"{other.name} minus {run.name}"), anchor=False)
        beside = (other, *(each for each in known if each is not other))
        show_figure("compare-difference", run, replace(view, beside=beside), key=f"difference_{other.path.name}")
    return comparison_headline(escape(view.ood), escape(run.name), compared)
