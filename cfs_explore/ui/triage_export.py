"""The flagged images with their maps as a zip: made when it is asked for, with a bar and a way to stop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from cfs_explore.errors import CFSError
from cfs_explore.figures.triage import Found
from cfs_explore.reports import flagged_maps
from cfs_explore.store import Run
from cfs_explore.ui import where_data
from cfs_explore.ui.damage import fragment
from cfs_explore.ui.sidebar import escape

#: Of the session: what was made last, and of what.
_MADE = "triage_maps"


@fragment
def show(run: Run, found: Found, cells: Sequence[int]) -> None:
    """The button that makes the zip, or the one that downloads it; nothing without flagged images or cells."""
    rows = flagged_maps.flagged(found)
    if not len(rows) or not cells:
        return
    of = (run.digest, found.ood, tuple(cells), rows[: flagged_maps.MOST].tobytes(), len(rows))
    made = st.session_state.get(_MADE)
    content = made[1] if made and made[0] == of else _make(run, found, cells, rows)
    if content is None:
        return
    st.session_state[_MADE] = of, content
    name = flagged_maps.file_name(run, found)
    st.download_button(
        "Flagged images with maps (ZIP)", content, name, "application/zip", key="triage_zip", on_click="ignore"
    )


def _make(run: Run, found: Found, cells: Sequence[int], rows: np.ndarray) -> bytes | None:
    """The zip, once its button is pressed; None before, and where it cannot be made, after saying why."""
    place, bar = st.empty(), st.empty()
    asked = place.button(
        "Make maps of the flagged images",
        key="triage_make_maps",
        icon=":material/blur_on:",
        help="Shows them to the backbone, and packs each picture with the map of where its score comes from, and the "
        f"numbers as npz. At most {flagged_maps.MOST}, those of the highest scores.",
    )
    if not asked:
        return None
    place.button("Stop", key="triage_stop_maps", icon=":material/stop:")  # any click ends the work at the next image
    wanted = [("ood", found.ood, int(row)) for row in rows[: flagged_maps.MOST]]
    try:
        looked = where_data.look_at_all(run, wanted, cells, bar)
    except CFSError as error:
        place.info(f"The backbone cannot run here. {escape(str(error))}", icon=":material/info:")
        return None
    if not looked:
        place.info("The pixels that the backbone took are not on this computer.", icon=":material/info:")
        return None
    content = flagged_maps.maps_zip(run, found, cells, looked, len(rows))
    place.empty()
    return content
