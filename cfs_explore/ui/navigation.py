"""The pages of the app, and the way back to the router when Streamlit opens a page file without it."""

from __future__ import annotations

import streamlit as st

from cfs_explore.locations import PROJECT
from cfs_explore.studies import PAGES
from cfs_explore.ui import gate

_FOLDER = PROJECT / "pages"
_ICON = PROJECT / "docs" / "images" / "icon.png"
#: Of the session: page and query that a fragment wants to lead to.
_NEXT = "navigation_next"


def _of_diagnostics(group: str) -> list:
    """The pages of diagnostics in a group."""
    return [
        st.Page(_FOLDER / f"{page.name}.py", title=page.title, icon=page.icon) for page in PAGES if page.group == group
    ]


def current_page():
    """Configure the app and register its pages in groups; returns the one that the address asks for.

    The app's own icon comes first: without it, Streamlit fetches a page's icon from a font server.
    """
    st.set_page_config(page_title="CFS Explore", page_icon=str(_ICON), layout="wide")
    page = st.navigation(
        {
            "": [st.Page(_FOLDER / "start.py", title="Start", icon=":material/home:", default=True)],
            "Answer": [
                st.Page(_FOLDER / "map.py", title="Map", icon=":material/grid_on:"),
                st.Page(_FOLDER / "images.py", title="Images", icon=":material/image:"),
                st.Page(_FOLDER / "triage.py", title="Triage", icon=":material/filter_alt:"),
                st.Page(_FOLDER / "image.py", title="One image", icon=":material/center_focus_strong:"),
            ],
            "Why": _of_diagnostics("Why"),
            "Trust": [
                st.Page(_FOLDER / "verdict.py", title="Verdict", icon=":material/gavel:"),
                *_of_diagnostics("Trust"),
            ],
            "Learn": [
                st.Page(_FOLDER / "probe.py", title="Probe", icon=":material/biotech:"),
                st.Page(_FOLDER / "lab.py", title="Lab", icon=":material/science:"),
                *_of_diagnostics("Learn"),
            ],
            "Data": [
                st.Page(_FOLDER / "explorations.py", title="Explorations", icon=":material/folder_open:"),
                st.Page(_FOLDER / "new.py", title="New exploration", icon=":material/add_circle:"),
            ],
        },
        expanded=True,
    )
    st.session_state["arrived"] = st.session_state.get("page_shown") != page.url_path
    st.session_state["page_shown"] = page.url_path
    return page


def after_job() -> str:
    """The page to open when a job is done: the one that asked for it, as the address says (``back``), or the map."""
    name = st.query_params.get("back", "")
    return f"pages/{name if name in {page.name for page in PAGES} else 'map'}.py"


def forget_job() -> None:
    """Take a job, what was looked at meanwhile, and the page that asked for it out of the address."""
    for key in ("job", "back", "growing_ood", "growing_cell"):
        st.query_params.pop(key, None)


def leave_for(page: str, query: dict[str, str]) -> None:
    """``st.switch_page`` for a fragment that runs on a timer.

    A rerun that its timer asked for just before arrives after the switch, on behalf of the page that was left, and the
    browser empties the new one. So the page is first made again without the fragment, which ends the timer; what was
    under way arrives then; and when the browser has seen the page without it (``page_script``), the switch is made.
    """
    st.session_state[_NEXT] = (page, query)
    st.rerun(scope="app")


def is_leaving() -> bool:
    """Whether a fragment asked to lead elsewhere; the page is not drawn then."""
    return _NEXT in st.session_state


def leave() -> None:
    """Make the switch that a fragment asked for; nothing runs on a timer any more."""
    page, query = st.session_state.pop(_NEXT)
    st.switch_page(page, query_params=query)


def ensure_routed() -> None:
    """Called by every page file. The first visitor of a fresh server who opens a page's own address would be shown
    the bare file, because Streamlit treats a folder called pages/ as an app without a router until ``st.navigation``
    has run once; so run it and start over.
    """
    if not st.session_state.get("routed"):
        st.session_state["routed"] = True
        current_page()
        st.rerun()
    gate.pass_gate()  # also where a page file is run without the router
