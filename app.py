"""The app's router: page config, the pages, the sidebar's head."""

import streamlit as st

from cfs_explore.locations import PROJECT
from cfs_explore.ui import navigation, sidebar, style

st.set_page_config(page_title="CFS Explore", page_icon=str(PROJECT / "docs" / "images" / "icon.png"), layout="wide")
st.session_state["routed"] = True
style.apply()
page = navigation.current_page()
sidebar.show()
page.run()
