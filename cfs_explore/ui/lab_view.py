"""The lab page."""

from __future__ import annotations

import streamlit as st


def show() -> None:
    """The whole page."""
    st.title("The lab", anchor=False)
