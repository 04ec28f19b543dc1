"""The closer looks of the separation page: every cell's parts, the chosen cell's channels, and the other heads."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from cfs_explore.charts import short_tap_name
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.separation import ORDER, kept_rows
from cfs_explore.store import Run
from cfs_explore.ui import choosing
from cfs_explore.ui.cell_choice import open_cell, open_clicked
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.sidebar import escape
from cfs_explore.wording import format_value


def show(run: Run, view: Choices, look: str) -> None:
    """One closer look at an OOD set and a cell: "cells", "channels" or "heads"."""
    if look == "cells":
        show_figure(
            "separation-share",
            run,
            view,
            key="separation_map",
            hint="Click a cell to choose it.",
            on_select=lambda: open_clicked("separation_map"),
        )
        show_figure("separation-taps", run, view, key="separation_taps")
    elif look == "channels":
        _channels(run, view)
    elif not show_figure("separation-heads", run, view, key="separation_heads"):
        _ways_to_kept(run, "cell_heads", view)
    else:
        rows = kept_rows(run, "cell_heads", view)
        for row in rows[rows["note"] != ""].itertuples():
            st.caption(f"{escape(row.head)}: {escape(row.note)}")


def _channels(run: Run, view: Choices) -> None:
    order = choosing.choose(ORDER, run)
    show_figure("separation-channels", run, replace(view, options={ORDER.name: order}), key="separation_channels")
    left, right = st.container(key="beside_sparsity").columns(2, gap="large")
    with left:
        st.header("How few channels carry the signal", anchor=False)
        show_figure("separation-sparsity", run, view, key="separation_sparsity_curve")
    with right:
        st.header("How well they do alone", anchor=False)
        if not show_figure("separation-top-channels", run, view, key="separation_top"):
            _ways_to_kept(run, "top_channels", view)


def _ways_to_kept(run: Run, table: str, view: Choices) -> None:
    """Ways to the cells that a table has, where it lacks the chosen one."""
    if not run.has_table(table) or len(kept_rows(run, table, view)):
        return
    with st.container(horizontal=True):
        for level, tap in run.table(table)[["level", "tap"]].drop_duplicates().itertuples(index=False):
            index, lam = run.cell_number(level, tap), format_value(run.levels[level].lam, 1)
            label = f"Open {short_tap_name(tap)} at λ = {lam}, whose snapshots were kept"
            st.button(label, key=f"separation_open_{table}_{index}", on_click=open_cell, args=(index,))
