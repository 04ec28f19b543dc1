"""The app's router: page config, the pages, the sidebar's head."""

import streamlit as st

from cfs_explore.locations import PROJECT
from cfs_explore.ui import sidebar

st.set_page_config(page_title="CFS Explore", page_icon=str(PROJECT / "docs" / "images" / "icon.png"), layout="wide")

page = st.navigation(
    [
        st.Page("pages/start.py", title="Start", icon=":material/home:", default=True),
        st.Page("pages/map.py", title="Map", icon=":material/grid_on:"),
        st.Page("pages/new.py", title="New exploration", icon=":material/add_circle:"),
    ]
)
sidebar.show()
page.run()
