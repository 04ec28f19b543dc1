"""The app's router: the pages and the sidebar's head."""

import streamlit as st

from cfs_explore.ui import navigation, sidebar, style

st.session_state["routed"] = True
style.apply()
page = navigation.current_page()
sidebar.show()
page.run()
