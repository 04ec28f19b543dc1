"""What every page has around it: above, what the address asks for in vain; below, one way to go on, as a question.

The ways lead from the start through map and diagnostics to the verdict, without the sidebar.
"""

from __future__ import annotations

from typing import NamedTuple

import streamlit as st

from cfs_explore.ui import state
from cfs_explore.ui.sidebar import escape


class Way(NamedTuple):
    """question: that the page leaves open. page: that answers it. place: how the navigation calls that page."""

    question: str
    page: str
    place: str


#: Where a page leads that has no way of its own.
TO_MAP = Way("Where does the signal live?", "map", "Map")
#: Address of a page ("" for the start page) -> the way on from there.
WAYS = {
    "": TO_MAP,
    "map": Way("Why there?", "separation", "Separation"),
    "separation": Way("Do encoder and decoder know the same?", "complementarity", "Complementarity"),
    "complementarity": Way("Does it survive the noise?", "stability", "Stability"),
    "stability": Way("Could I have known without OOD images?", "prediction", "Prediction"),
    "prediction": Way("Could it be the codec, or chance?", "controls", "Controls"),
    "controls": Way("Is it fair, and what does it cost?", "protocol", "Protocol"),
    "protocol": Way("So, do the paper's claims hold?", "verdict", "Verdict"),
    "verdict": Way("Would a whole trajectory do better?", "falsifier", "Falsifier"),
    "falsifier": Way("And for my images?", "new", "New exploration"),
    "images": Way("Which of them would be flagged?", "triage", "Triage"),
    "triage": Way("What is it about one of them?", "image", "One image"),
    "image": Way("And over all images?", "map", "Map"),
    "where": Way("And in one image?", "image", "One image"),
    "training": Way("And against other random weights?", "controls", "Controls"),
    "probe": Way("And over all layers and levels?", "map", "Map"),
    "lab": Way("And in a real network?", "map", "Map"),
    "explorations": TO_MAP,
    "new": Way("What is there already?", "explorations", "Explorations"),
}


def show(page: st.Page) -> None:
    """A page and what is around it."""
    place = st.empty()
    page.run()
    if notes := state.notes():
        place.info("\n\n".join(map(escape, notes)), icon=":material/info:")
    way_on(page.url_path)


def way_on(page: str) -> None:
    """The way on from a page; ``page`` is its address.

    The link says the exploration alone: OOD set and cell stay as they are chosen, and the next page writes them into
    the address. A link that named them would be out of date as soon as a part of the page is made again by itself.
    """
    way, run = WAYS.get(page, TO_MAP), st.session_state.get("run")
    with st.container(key="way_on", horizontal=True, vertical_alignment="center", gap="small"):
        st.page_link(
            f"pages/{way.page}.py",
            label=f"{way.question} **{way.place}**",
            icon=":material/arrow_forward:",
            icon_position="right",
            query_params={"run": run} if run else None,
        )
