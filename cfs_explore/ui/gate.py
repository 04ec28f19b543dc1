"""The door of a server with a password, and what happens once when it opens."""

from __future__ import annotations

import hmac
import time

import streamlit as st

from cfs_explore import jobs
from cfs_explore.ui import access

#: A wrong password costs this long, so that guessing is slow.
_WRONG_SECONDS = 1.0


def pass_gate() -> None:
    """Ask for the password, if there is one; whoever does not know it sees nothing else."""
    access.announce()
    password = access.settings().password
    if not password or st.session_state.get("admitted"):
        return
    st.title("CFS Explore", anchor=False)
    with st.form("password_form", width=420):
        given = st.text_input("Password", type="password", help="Ask the administrator of this server for it.")
        entered = st.form_submit_button("Enter", type="primary")
    if entered:
        if hmac.compare_digest(given.encode(), password.encode()):
            st.session_state["admitted"] = True
            st.rerun()
        time.sleep(_WRONG_SECONDS)
        st.error("That is not the password.", icon=":material/lock:")
    st.stop()


@st.cache_resource(show_spinner=False)
def resume_runs() -> None:
    """Once per server: start the runs again that were cut off when it, or the machine, stopped."""
    jobs.recover()
