"""The app's router: the door, the pages and the sidebar's head."""

import streamlit as st

from cfs_explore.ui import collector, gate, navigation, page_frame, page_script, sidebar, style, tour

collector.leave_out_libraries()
st.session_state["routed"] = True
style.apply()
ready = page_script.run(navigation.is_leaving())
page = navigation.current_page()
gate.pass_gate()
gate.resume_runs()
sidebar.show()
tour.show(page.url_path)
if ready:
    navigation.leave()
elif not navigation.is_leaving():
    page_frame.show(page)
