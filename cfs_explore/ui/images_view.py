"""The images page: every image as a point by its snapshot, pictures of the points that a box or a lasso selects."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from cfs_explore.charts import Colouring
from cfs_explore.embedding import Settings, is_stored
from cfs_explore.figures import images as figures
from cfs_explore.headlines.images import images_headline
from cfs_explore.store import Run
from cfs_explore.ui import detector_choice, diagnostic_page, images_browser, images_controls, images_points, state
from cfs_explore.ui.damage import fragment
from cfs_explore.ui.figure import picked, show_made
from cfs_explore.ui.images_gallery import first_page, show_selection
from cfs_explore.ui.images_picked import show_picked
from cfs_explore.ui.sidebar import escape

CHART = "images_scatter"
_MIXING_HELP = (
    "Nearest in all dimensions of the snapshots, not in the figure below, which shows two. In brackets the Wilson "
    "95 % interval, images taken as independent. A low share can also come from OOD images that resemble one another."
)
_FORMULAS = {
    "**Features** (3), (4): every kept snapshot in ID-train standard deviations; with L taps, each tap's d features "
    "weigh alike, so that a point's squared distance from the ID-train mean is its CFS(1×L) score:": r"f_j = "
    r"\frac{z_j-\mu_j}{\sqrt{v_j\, d\, L}}, \qquad \lVert f\rVert^2 = \frac1L\sum_l s_l",
    "**PCA** and **UMAP** are fitted on the ID-test images alone and then place the OOD images: they move no ID image. "
    "Distances and densities cannot be read from a UMAP figure; the headline and the neighbours use all dimensions.": (
        r"f \in \mathbb{R}^{\sum d} \mapsto (x, y)"
    ),
    "**Mixing**: the share of OOD images whose nearest other image, among both sets, is an ID image. If both had one "
    "distribution, it would be (Schilling 1986):": r"\frac{n_{ID}}{n_{ID}+n_{OOD}-1}",
}


def show(run: Run) -> None:
    """The whole page for one run."""
    if not run.manifest.kept["taps"]:
        _not_kept()
        return
    images_controls.restore(run)
    if st.session_state["arrived"]:
        st.session_state.pop("images_drawn", None)  # the browser has forgotten its box
    _page(run)


def _not_kept() -> None:
    st.title("Which images lie together inside the network?", anchor=False)
    st.info(
        f"This page reads snapshots, and this exploration keeps none. {figures.HOW_TO_KEEP}:",
        icon=":material/info:",
    )
    st.code("keep: sparse_ed\nkeep_level: 5.0", language="yaml")


@fragment
def _page(run: Run) -> None:
    """Everything but the sidebar."""
    st.title("Which images lie together inside the network?", anchor=False)
    headline = st.empty()
    settings, oods, colour = images_controls.show(run)
    cells = detector_choice.cell_indices(run)
    if not settings.taps or not cells:
        st.info("Choose at least one tap, and a detector of at least one cell.", icon=":material/info:")
        return
    headline.markdown(_headline(run, settings, oods), help=_MIXING_HELP)
    points = _points(run, settings, oods, cells, colour)
    left, right = st.container(key="beside_images").columns([5, 3], gap="large")
    with left:
        _scatter(run, points, settings, oods, colour)
    with right:
        show_picked(run, points, settings.taps, CHART, pick)
    show_selection(run, points, oods, CHART, pick)
    images_controls.remember_picked()
    diagnostic_page.formulas(_FORMULAS)


def _headline(run: Run, settings: Settings, oods: list[str]) -> str:
    found = {escape(name): images_points.mixed(run, settings.taps, name) for name in oods}
    known = {name: each for name, each in found.items() if each is not None}
    if found and not known:
        return f"Mixing with the ID images needs at least two images of **{', '.join(found)}**."
    return images_headline(known, escape(run.id_test.name))


def _points(run: Run, settings: Settings, oods: list[str], cells: list[int], colour: str) -> pd.DataFrame:
    """The page's table; a first UMAP says that it takes a while."""
    if settings.method == "pca" or is_stored(run, settings, oods):
        return images_points.points(run, settings, oods, cells, colour)
    count = run.id_test.count + sum(run.entry("ood", name).count for name in oods)
    with st.spinner(
        f"UMAP of {count:,} images: half a minute or more the first time, then it is stored", show_time=True
    ):
        return images_points.points(run, settings, oods, cells, colour)


def _scatter(run: Run, points: pd.DataFrame, settings: Settings, oods: list[str], colour: str) -> None:
    title, theme = figures.colour_title(colour, detector_choice.name(run)), state.figure_theme()
    figure = figures.points_figure(
        run,
        points,
        settings,
        Colouring(colour, title),
        selected=_drawn_selection((run.digest, settings, tuple(oods), colour, title, theme)),
        picked=st.session_state["images_picked"],
        theme=theme,
    )
    _zoom(figure.chart, (run.digest, settings, tuple(oods)))
    pictures = images_browser.point_pictures(run, oods, key="images_pointer", chart=CHART, on_pick=pick)
    look = "Point at an image to see it, click it to keep it" if pictures else "Click a point to see its image"
    show_made(
        figure,
        key=CHART,
        hint=f"{look}; drag a box to select (lasso: at the figure's top right), double-click to see all again.",
        on_select=_select,
        selection_mode=("box", "lasso"),
    )


def _drawn_selection(identity: tuple) -> list[int] | None:
    """What the figure draws as selected: what was selected when the figure last had to be drawn anew.

    A new box needs no new figure, since the browser has drawn it already; the figure stays, with its box and its zoom.
    """
    identity = (*identity, st.session_state["images_picked"])
    drawn = st.session_state.get("images_drawn")
    if drawn is None or drawn[0] != identity:
        st.session_state["images_drawn"] = drawn = (identity, st.session_state.get("images_selected"))
    return drawn[1]


def _zoom(figure, identity: tuple) -> None:
    """Keep the part in view when a click draws the figure anew; other coordinates begin with all in view."""
    of, ranges = st.session_state.get("images_zoom", (None, None))
    if ranges is not None and of in (None, identity):
        st.session_state["images_zoom"] = (identity, ranges)
        figure.update_xaxes(range=ranges[0], autorange=False)
        figure.update_yaxes(range=ranges[1], autorange=False)


def _select() -> None:
    """A box or a lasso selects; an empty one, or a double click, shows all again."""
    st.session_state["images_selected"] = sorted(set(picked(CHART))) or None
    first_page()


def pick(row: int, ranges: list[list[float]] | None = None) -> None:
    """Make an image the picked one; a second click on it puts it back."""
    st.session_state["images_picked"] = None if st.session_state["images_picked"] == row else row
    st.session_state["images_zoom"] = (None, ranges)
