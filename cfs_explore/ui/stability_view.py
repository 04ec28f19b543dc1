"""The stability page."""

from __future__ import annotations

import streamlit as st

from cfs_explore.store import Run


def show(run: Run) -> None:
    """The whole page for one run."""
    st.title("How much of a snapshot survives the noise?", anchor=False)
