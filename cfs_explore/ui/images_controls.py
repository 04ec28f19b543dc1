"""What the images page lets its visitor choose, and how the address says it."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from cfs_explore.embedding import MIN_UMAP_IMAGES, Settings
from cfs_explore.figures.choices import OOD
from cfs_explore.figures.images import COLOUR, METHOD, MIN_DIST, NEIGHBORS, SETS, TAPS
from cfs_explore.store import Run
from cfs_explore.ui import choosing, detector_choice, images_points, state
from cfs_explore.ui.images_points import ORDER
from cfs_explore.ui.sidebar import escape

#: Belongs to one exploration: dropped when another one is opened.
_OF_A_RUN = ("images_sets", "images_taps", "images_selected", "images_drawn", "images_zoom")
#: Of the session: the chosen OOD sets by name, as the exploration before had them.
_NAMES = "images_set_names"


def restore(run: Run) -> None:
    """Bring the view back from the address; what does not fit this run falls back to its defaults."""
    another = st.session_state.get("images_run") not in (None, run.path.name)
    if another:
        state.forget(*_OF_A_RUN, "images_picked")
    st.session_state["images_run"] = run.path.name
    ood = choosing.restore(OOD, run)
    if another:
        _carry_over(run, ood)
    sets = choosing.restore(replace(SETS, default=[run.ood_names.index(ood)]), run)
    st.session_state[_NAMES] = [run.ood_names[index] for index in sets]
    for control in (TAPS, METHOD, COLOUR, ORDER, NEIGHBORS, MIN_DIST):
        choosing.restore(control, run)
    detector_choice.restore(run, cells_alone=True)
    state.restore(
        "images_picked",
        None,
        parse=lambda text: _parse_row(run, text),
        write=_format_row,
        lacking=f"{run.name} has no point with the number",
        label=_format_row,
    )


def _carry_over(run: Run, ood: str) -> None:
    """Of several sets that were shown of the exploration before, those that this one has stay; of the others it is said
    that it has none."""
    names = st.session_state.get(_NAMES, [])
    lost = [name for name in names if name not in run.ood_names]
    if len(names) < 2 or SETS.name in st.query_params:
        return
    if len(lost) < len(names):
        st.session_state[SETS.name] = [run.ood_names.index(name) for name in names if name not in lost]
    if lost:
        instead = "the others are shown" if len(lost) < len(names) else f"{ood} is shown instead"
        state.note(SETS.name, f"{run.name} has no OOD set {', '.join(lost)}, shown before; {instead}.")


def _parse_row(run: Run, text: str) -> int | None:
    """The row of an image that has a score; a ValueError for any other."""
    if text == "none":
        return None
    if images_points.locate(run, int(text))[0] == "id_train":
        raise ValueError(text)
    return int(text)


def _format_row(row: int | None) -> str:
    return "none" if row is None else str(row)


def remember_picked() -> None:
    """Write the picked image into the address."""
    state.remember(images_picked=_format_row(st.session_state["images_picked"]))


def show(run: Run) -> tuple[Settings, list[str], str]:
    """The controls; gives the settings of the coordinates, the OOD sets, and what colours the points."""
    choosing.restore(ORDER)  # forgotten while there was no gallery
    with st.container(horizontal=True, vertical_alignment="bottom"):
        sets = choosing.draw(SETS, run, placeholder="None: ID images alone")
        taps = choosing.draw(TAPS, run)
        choosing.draw(METHOD)
        oods = [run.ood_names[i] for i in sets]
        colour = choosing.choose(
            replace(COLOUR, values={key: COLOUR.values[key] for key in images_points.colours(run, oods)})
        )
        with st.popover("More", icon=":material/tune:"):
            detector_choice.control(run)
            detector_choice.cells_control(run)
            choosing.draw(NEIGHBORS)
            choosing.draw(MIN_DIST)
    choosing.remember(run, SETS, TAPS, METHOD, NEIGHBORS, MIN_DIST, ORDER)
    detector_choice.remember(run)
    method, neighbors = _usable(run)
    names = tuple(run.taps[i].name for i in sorted(taps))
    return Settings(names, method, neighbors, st.session_state[MIN_DIST.name]), oods, colour


def _usable(run: Run) -> tuple[str, int]:
    """The method and the neighbours that this many ID images allow; the page says so where it is not the chosen one."""
    n, method, neighbors = run.id_test.count, st.session_state["images_method"], st.session_state["images_neighbors"]
    if method == "umap" and n < MIN_UMAP_IMAGES:
        st.info(
            f"UMAP needs at least {MIN_UMAP_IMAGES} ID images to be fitted, and {escape(run.id_test.name)} has {n}: "
            "PCA is shown instead.",
            icon=":material/info:",
        )
        return "pca", neighbors
    if method == "umap" and neighbors >= n:
        fewer = max(each for each in NEIGHBORS.values if each < n)
        st.info(f"{neighbors} neighbours are more than {n} ID images allow: {fewer} are used.", icon=":material/info:")
        return method, fewer
    return method, neighbors
