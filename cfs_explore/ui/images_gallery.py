"""Pictures of the selected images, by score, page by page, and the selection as a file."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from cfs_explore.store import Run
from cfs_explore.ui import choosing, detector_choice, images_points
from cfs_explore.ui.gallery import show_absence
from cfs_explore.ui.images_browser import OnPick, picture_grid
from cfs_explore.ui.sidebar import escape
from cfs_explore.wording import counted

PER_PAGE = 48


def show_selection(run: Run, points: pd.DataFrame, oods: Sequence[str], chart: str, on_pick: OnPick) -> None:
    """The gallery of what is selected on the chart; of all images where nothing is.

    Args:
        run: the exploration.
        points: the page's table.
        oods: names of its OOD sets.
        chart: key of the chart.
        on_pick: called with a picked image's row.
    """
    shown = images_points.gallery_rows(
        points, st.session_state.get("images_selected"), st.session_state["images_order"]
    )
    pages = max(1, math.ceil(len(shown) / PER_PAGE))
    _heading(run, points, shown)
    if shown.empty:
        st.info("None of the selected images is in the sets that are shown.", icon=":material/info:")
        return
    show_absence(run, *images_points.sets(oods))
    key = f"images_page_{st.session_state.get('images_turn', 0)}_{pages}"  # another selection or order begins at 1
    number = min(st.session_state.get(key, 1), pages)
    picture_grid(
        run,
        shown.iloc[(number - 1) * PER_PAGE : number * PER_PAGE],
        key="images_grid",
        chart=chart,
        picked=st.session_state["images_picked"],
        number="score",
        on_pick=on_pick,
    )
    if pages > 1:
        st.pagination(pages, key=key)


def _heading(run: Run, points: pd.DataFrame, shown: pd.DataFrame) -> None:
    selected = st.session_state.get("images_selected") is not None
    what = (
        f"{len(shown):,} of {counted(len(points), 'image')} selected"
        if selected
        else f"All {counted(len(points), 'image')}"
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(what, anchor=False, width="stretch")
        choosing.draw(images_points.ORDER, on_change=first_page, label_visibility="collapsed")
        st.button("Show all", key="images_all", icon=":material/deselect:", on_click=_show_all, disabled=not selected)
        st.download_button(
            "CSV",
            lambda: images_points.selection_csv(shown),
            f"{run.path.name}-images.csv",
            "text/csv",
            key="images_csv",
            icon=":material/download:",
            on_click="ignore",
            help="image_id, set, name, label and score of these images.",
        )
    st.caption(
        f"Number: score of {escape(detector_choice.name(run))}, mean of {counted(run.draws, 'draw')}: higher = more "
        "OOD. Click a picture to mark its point."
    )


def first_page() -> None:
    """Begin at the first page, as after every change of what is shown."""
    st.session_state["images_turn"] = st.session_state.get("images_turn", 0) + 1


def _show_all() -> None:
    """Nothing is selected any more; the figure is drawn anew, without its box and its zoom."""
    for key in ("images_selected", "images_drawn"):
        st.session_state[key] = None
    st.session_state.pop("images_zoom", None)
    first_page()
