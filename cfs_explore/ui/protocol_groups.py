"""The protocol page's near and far: group means and full-spectrum AUROC, of detectors and of every cell (theory 36)."""

from __future__ import annotations

import streamlit as st

from cfs_explore.figures import set_groups as figures
from cfs_explore.figures.choices import Choices
from cfs_explore.headlines.set_groups import set_groups_headline
from cfs_explore.store import Run
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.sidebar import escape


def show(run: Run, view: Choices) -> str:
    """The view; returns its headline, "" where no set is in a group."""
    if not run.set_groups:
        show_figure("protocol-group-maps", run, view, key="protocol_groups_missing")  # says how to group the sets
        return ""
    left, right = st.container(key="beside_groups").columns([6, 5], gap="large")
    with left:
        there = show_figure("protocol-groups", run, view, key="protocol_groups")
    with right:
        st.header("Every cell", anchor=False)
        show_figure("protocol-group-maps", run, view, key="protocol_group_maps")
    if run.has_table("falsifier"):
        st.header("Trajectory detectors", anchor=False)
        show_figure("protocol-group-rivals", run, view, key="protocol_group_rivals")
    if not there:
        return ""
    table = figures.detector_groups(run)
    first = table["detector"].iloc[0]
    return set_groups_headline(escape(first), table[table["detector"] == first])
