"""The flagged images with their maps as a zip: made when it is asked for, with a bar and a way to stop."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

import numpy as np
import streamlit as st

from cfs_explore.errors import CFSError
from cfs_explore.figures.image_where import nothing_to_localise
from cfs_explore.figures.triage import Found
from cfs_explore.jobs.estimate import format_seconds
from cfs_explore.reports import flagged_maps
from cfs_explore.store import Run
from cfs_explore.ui import probe_data, where_data
from cfs_explore.ui.damage import fragment
from cfs_explore.ui.sidebar import escape

#: Of the session: what is being made, or was made last.
_MAPS = "triage_maps"
#: Work is done in slices, as a fragment that runs is not interrupted by a click in it; pauses between them.
SLICE_SECONDS, _PAUSE_SECONDS = 0.7, 0.1


@fragment
def show(run: Run, found: Found, cells: Sequence[int]) -> None:
    """The button that makes the zip, its progress, or the download; nothing without flagged images or cells."""
    rows = flagged_maps.flagged(found)
    if not len(rows) or not cells:
        return
    of = (run.digest, found.ood, tuple(cells), rows[: flagged_maps.MOST].tobytes(), len(rows))
    made = st.session_state.get(_MAPS)
    made = made if made and made["of"] == of else {}
    if made.get("why"):
        st.info(escape(made["why"]), icon=":material/info:")
    elif "content" in made:
        name = flagged_maps.file_name(run, found)
        label, kind = "Flagged images with maps (ZIP)", "application/zip"
        st.download_button(label, made["content"], name, kind, key="triage_zip", on_click="ignore")
        return
    elif made:
        _work(run, found, tuple(cells), rows)
        return
    st.button(
        "Make maps of the flagged images",
        key="triage_make_maps",
        icon=":material/blur_on:",
        help="Shows them to the backbone, and packs each picture with the map of where its score comes from, and the "
        f"numbers as npz. At most {flagged_maps.MOST}, those of the highest scores.",
        on_click=_begin,
        args=(of,),
    )


def _begin(of: tuple) -> None:
    st.session_state[_MAPS] = {"of": of, "looked": [], "done": 0, "seconds": 0.0}


@fragment(run_every=_PAUSE_SECONDS)
def _work(run: Run, found: Found, cells: Sequence[int], rows: np.ndarray) -> None:
    """A slice of the work; the page is made again when it is done, or was stopped."""
    state = st.session_state.get(_MAPS)
    if state is None or "content" in state or "why" in state:
        st.rerun(scope="app")
    wanted = rows[: flagged_maps.MOST]
    try:
        probe_data.load(run)
    except CFSError as error:
        state["why"] = f"The backbone cannot run here. {error}"
        st.rerun(scope="app")
    start = time.monotonic()
    while state["done"] < len(wanted) and time.monotonic() - start < SLICE_SECONDS:
        with contextlib.suppress(CFSError):  # its pixels are not here; the zip says how many are left out
            state["looked"].append(where_data.look(run, "ood", found.ood, int(wanted[state["done"]]), cells))
        state["done"] += 1
    state["seconds"] += time.monotonic() - start
    if state["looked"] and (why := nothing_to_localise(found.detector, state["looked"][0].where)):
        state["why"] = why
        st.rerun(scope="app")
    if (done := state["done"]) == len(wanted):
        looked = state.pop("looked")
        if looked:
            state["content"] = flagged_maps.maps_zip(run, found, cells, looked, len(rows))
        else:
            state["why"] = "The pixels that the backbone took are not on this computer."
        st.rerun(scope="app")
    left = format_seconds(state["seconds"] / done * (len(wanted) - done))
    st.progress(done / len(wanted), f"Maps: {done:,} of {len(wanted):,} images, about {left} left")
    st.button("Stop", key="triage_stop_maps", icon=":material/stop:", on_click=_stop)


def _stop() -> None:
    st.session_state.pop(_MAPS, None)
