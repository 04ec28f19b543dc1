"""The protocol page's transfer: whose map chooses well on whose backbone (theory 26)."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from cfs_explore.errors import CFSError
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.protocol_transfer import NUMBER, comparable, transfer_table
from cfs_explore.headlines.transfer import transfer_headline
from cfs_explore.store import Run
from cfs_explore.ui import choosing
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.sidebar import escape


def show(run: Run, view: Choices) -> str:
    """The view; returns its headline, "" where there is nothing to compare with."""
    if not view.beside:
        st.info(
            "Choose another exploration above, of another backbone on the same image sets.", icon=":material/compare:"
        )
        return ""
    try:
        with st.spinner("Choosing on one backbone, judging on another"):
            table = run.derived(transfer_table, *comparable(run, view.beside)[1:])
    except CFSError as why:
        st.info(escape(str(why)), icon=":material/info:")
        return ""
    options = {NUMBER.name: choosing.choose(NUMBER)}
    show_figure("compare-transfer", run, replace(view, options=options), key="transfer_matrix")
    return transfer_headline(table.assign(**{of: table[of].map(escape) for of in ("source", "target")}))
