"""The switch that lays score maps over the pictures of a gallery."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cfs_explore.charts import where_overlay as overlay
from cfs_explore.contracts import SCORE
from cfs_explore.errors import CFSError
from cfs_explore.figures.image_where import colours, nothing_to_localise
from cfs_explore.figures.options import Control
from cfs_explore.store import Run
from cfs_explore.ui import choosing, where_data
from cfs_explore.ui.sidebar import escape


def control(name: str) -> Control:
    """The switch of one page, off at first."""
    return Control(
        name,
        "Shown",
        {"seen": "Picture", "where": "Where"},
        help="Where: what each position of an image adds to its score (theory 22), laid over the picture. It shows the "
        "images to the backbone, which loads first.",
    )


def overlays(
    run: Run, by: str, cells: Sequence[int], wanted: Sequence[tuple[str, str | None, int]]
) -> dict[str, bytes] | None:
    """Image id -> PNG of the picture with its map over it, all on one scale, which a line above them explains.

    Args:
        run: the exploration.
        by: what people call the cells.
        cells: of the detector.
        wanted: role, set and position of the images that are shown.

    Returns:
        None where there are none, after saying why.
    """
    place = st.empty()
    try:
        found = where_data.look_at_all(run, list(dict.fromkeys(wanted)), cells, place)
    except CFSError as error:
        place.info(f"The backbone cannot run here. {escape(str(error))}", icon=":material/info:")
        return None
    if not found:
        place.info("The pixels that the backbone took are not on this computer.", icon=":material/info:")
        return None
    if why := nothing_to_localise(by, found[0][1]):
        place.info(escape(why), icon=":material/info:")
        return None
    maps = [where for _, where in found]
    end = overlay.reach([where.part(SCORE) for where in maps])
    place.caption(escape(f"What each position adds to the score by {by}. {colours(SCORE, maps)}"))
    return {image.image_id: where_data.picture(run, image.image_id, tuple(cells), end, image, w) for image, w in found}


def chosen(switch: Control) -> bool:
    """Draw the switch, remember it, and say whether it is on."""
    return choosing.choose(switch) == "where"
