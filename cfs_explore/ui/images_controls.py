"""What the images page lets its visitor choose, and how the address says it."""

from __future__ import annotations

import streamlit as st

from cfs_explore.charts import short_tap_name
from cfs_explore.embedding import MIN_UMAP_IMAGES, Settings
from cfs_explore.figures.images import COLOUR, COLOURS, METHOD, METHODS, default_taps
from cfs_explore.store import Run
from cfs_explore.ui import detector_choice, diagnostic_page, images_points, state
from cfs_explore.ui.sidebar import escape

NEIGHBORS, MIN_DISTS = (5, 15, 30, 60, 120), (0.0, 0.1, 0.3, 0.8)
#: Belongs to one exploration: dropped when another one is opened.
_OF_A_RUN = ("images_sets", "images_taps", "images_selected", "images_drawn", "images_zoom")


def restore(run: Run) -> None:
    """Bring the view back from the address; what does not fit this run falls back to its defaults."""
    if st.session_state.get("images_run") not in (None, run.path.name):
        state.forget(*_OF_A_RUN, "images_picked")
    st.session_state["images_run"] = run.path.name
    ood = diagnostic_page.restore_ood(run)
    _restore_list("images_sets", [run.ood_names.index(ood)], len(run.ood_names))
    _restore_list("images_taps", _default_taps(run), len(run.taps))
    names = run.manifest.kept["taps"]
    if not all(run.taps[index].name in names for index in st.session_state["images_taps"]):
        st.session_state["images_taps"] = _default_taps(run)
    state.restore("images_method", METHOD.default, METHOD.values)
    state.restore("images_colour", COLOUR.default, COLOUR.values)
    state.restore("images_order", "high", list(images_points.ORDERS))
    state.restore("images_neighbors", 15, NEIGHBORS, parse=int)
    state.restore("images_min_dist", 0.1, MIN_DISTS, parse=float)
    detector_choice.restore(run)
    state.restore("images_picked", None, parse=lambda text: _parse_row(run, text), write=_format_row)


def _restore_list(key: str, default: list[int], count: int) -> None:
    indices = state.restore(key, default, parse=state.parse_indices, write=state.format_indices)
    if not all(index in range(count) for index in indices):
        st.session_state[key] = default


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


def _default_taps(run: Run) -> list[int]:
    names = default_taps(run)
    return [index for index, tap in enumerate(run.taps) if tap.name in names]


def show(run: Run) -> tuple[Settings, list[str], str]:
    """The controls; gives the settings of the coordinates, the OOD sets, and what colours the points."""
    st.session_state.setdefault("images_order", "high")  # forgotten while there was no gallery
    kept = [i for i, tap in enumerate(run.taps) if tap.name in run.manifest.kept["taps"]]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.multiselect(
            "OOD sets",
            range(len(run.ood_names)),
            key="images_sets",
            format_func=lambda i: run.ood_names[i],
            width=260,
            placeholder="None: ID images alone",
            help="Shown beside the in-distribution test images, on which the picture is fitted.",
        )
        st.multiselect(
            "Taps",
            kept,
            key="images_taps",
            format_func=lambda i: short_tap_name(run.taps[i].name),
            width=280,
            help="Whose kept snapshots are compared. Several are put beside each other, each with the same weight, as "
            "in the score CFS(1×L).",
        )
        st.segmented_control(
            "Method",
            list(METHODS),
            key="images_method",
            format_func=METHODS.get,
            required=True,
            help="PCA: the two directions in which ID images vary most; quick, and distances keep their meaning. UMAP: "
            "keeps neighbours together; shows clusters, but its distances and densities mean nothing.",
        )
        _colour_control(run)
        with st.popover("More", icon=":material/tune:"):
            detector_choice.control(run)
            detector_choice.cells_control(run)
            _umap_controls()
    _remember(run)
    taps = tuple(run.taps[i].name for i in sorted(st.session_state["images_taps"]))
    method, neighbors = _usable(run)
    oods = [run.ood_names[i] for i in st.session_state["images_sets"]]
    settings = Settings(taps, method, neighbors, st.session_state["images_min_dist"])
    return settings, oods, st.session_state["images_colour"]


def _colour_control(run: Run) -> None:
    options = images_points.colours(run, [run.ood_names[i] for i in st.session_state["images_sets"]])
    if st.session_state["images_colour"] not in options:
        st.session_state["images_colour"] = "dataset"
    st.selectbox(
        "Colour",
        options,
        key="images_colour",
        format_func=lambda key: COLOURS[key].capitalize(),
        width=140,
        help="Set: blue circles are ID. Score: of the detector under More. The others are plain statistics of the "
        "pixels, for what the picture may owe to them.",
    )


def _umap_controls() -> None:
    st.select_slider(
        "UMAP: neighbours",
        NEIGHBORS,
        key="images_neighbors",
        help="Few: fine structure and many islands. Many: the coarse shape.",
    )
    st.select_slider(
        "UMAP: least distance",
        MIN_DISTS,
        key="images_min_dist",
        help="How close points may come in the picture (min_dist).",
    )


def _usable(run: Run) -> tuple[str, int]:
    """The method and the neighbours that this many ID images allow; the page says so where it is not the chosen one."""
    n, method, neighbors = run.id_test.count, st.session_state["images_method"], st.session_state["images_neighbors"]
    if method == "umap" and n < MIN_UMAP_IMAGES:
        st.info(
            f"UMAP needs at least {MIN_UMAP_IMAGES} ID images to be fitted on, and {escape(run.id_test.name)} has {n}: "
            "this is PCA.",
            icon=":material/info:",
        )
        return "pca", neighbors
    if method == "umap" and neighbors >= n:
        fewer = max(each for each in NEIGHBORS if each < n)
        st.info(f"{neighbors} neighbours are more than {n} ID images have: {fewer} are used.", icon=":material/info:")
        return method, fewer
    return method, neighbors


def _remember(run: Run) -> None:
    lists = {key: state.format_indices(st.session_state[key]) for key in ("images_sets", "images_taps")}
    keys = ("images_method", "images_colour", "images_neighbors", "images_min_dist", "images_order")
    state.remember(**lists, **{key: st.session_state[key] for key in keys})
    detector_choice.remember(run)
