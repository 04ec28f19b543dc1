"""The controls page."""

from __future__ import annotations

import streamlit as st

from cfs_explore.store import Run


def show(run: Run) -> None:
    """The whole page for one run."""
    st.title("Is it the backbone?", anchor=False)
