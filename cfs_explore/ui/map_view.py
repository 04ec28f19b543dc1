"""The map page: headline, the large map with its open cell, the strip of all sets' maps, and the composer."""

from __future__ import annotations

import io
from dataclasses import replace

import streamlit as st

from cfs_explore.explorations.trained_on import training_difference
from cfs_explore.figures.choices import METRIC, OOD, Choices, choose
from cfs_explore.figures.map import BESIDE, headline, opening_cell
from cfs_explore.figures.map_severity import has_severities
from cfs_explore.figures.options import Control
from cfs_explore.figures.places import CELL, CELLS
from cfs_explore.reports import html
from cfs_explore.safe_io.csv_export import to_csv
from cfs_explore.store import Run
from cfs_explore.ui import choosing, composer, data, open_cells
from cfs_explore.ui.cell_choice import choose_cell
from cfs_explore.ui.cell_panel import show_composable_cell
from cfs_explore.ui.damage import fragment
from cfs_explore.ui.figure import picked, show_figure
from cfs_explore.ui.sidebar import escape

CLICK = Control(
    "click",
    "A click on the map",
    {"open": "opens a cell", "compose": "composes a detector"},
    help="Opening shows the cell beside the map. Composing also puts it into the detector below, or takes it out.",
)


#: Of the session: the composed cells that the page's composer shows, and what the whole page shows, for its downloads.
_SHOWN, _VIEW = "composer_shows", "map_shows"


def show(run: Run) -> None:
    """The whole page for one run."""
    _restore(run)
    _page(run)


def _restore(run: Run) -> None:
    """Bring the view back from the URL; what does not fit this run falls back to its defaults."""
    for control in (OOD, METRIC, CLICK, BESIDE):
        choosing.restore(control, run)
    open_cells.restore(run, cell=opening_cell(run, st.session_state["ood"]), cells=())
    choosing.remember(run, OOD, METRIC, CLICK, CELL, CELLS)


@fragment
def _page(run: Run) -> None:
    """Everything but the sidebar: what a change of the OOD set or the metric draws again."""
    ood = st.session_state["ood"]
    open_cells.follow(run, opening_cell(run, ood))
    choosing.remember(run, OOD, METRIC, CELL, CELLS, CLICK)
    st.title("Where does the signal live?", anchor=False)
    st.markdown(headline(run, ood))
    _warn_of_alike(run, ood)
    if differs := training_difference(run):
        st.caption(escape(differs))
    _controls(run)
    st.session_state[_SHOWN] = list(st.session_state["cells"])
    (_map_and_cell if st.session_state["click"] == "compose" else _map_and_cell_alone)(run)
    if len(run.ood_names) > 1:
        st.header("Every OOD set", anchor=False)
        show_figure(
            "map-sets",
            run,
            _view(run),
            key="strip",
            hint="Click a map to open it.",
            on_select=lambda: _pick_set(run),
        )
    _lead_to_groups(run)
    if has_severities(run):
        st.header("Over severity", anchor=False)
        show_figure("map-severity", run, _view(run), key="severity")
    composer.show_composer(run, _view(run))


def _view(run: Run) -> Choices:
    """What the page shows."""
    ood, metric, cell, cells = (st.session_state[key] for key in ("ood", "metric", "cell", "cells"))
    return replace(choose(run, ood=ood, metric=metric), cell=cell, cells=tuple(cells))


@fragment
def _map_and_cell_alone(run: Run) -> None:
    """What a click that opens a cell draws again, and no more; the whole page where the composed cells change."""
    if st.session_state["click"] == "compose" or st.session_state["cells"] != st.session_state[_SHOWN]:
        st.rerun()
    _map_and_cell(run)


def _map_and_cell(run: Run) -> None:
    """The map with the open cell at its right, and under both the images that this cell finds."""
    view = _view(run)
    st.session_state.setdefault(_VIEW, {})["view"] = view
    choosing.remember(run, CELL, CELLS, CLICK)
    left, right = st.container(key="map_and_cell").columns([5, 3], gap="large")
    images = st.container(key="beside_cell_images")
    with right, st.container(key="cell_panel"):  # first: it is what a click asks for
        show_composable_cell(run, view, None if view.cell in view.cells else _add_cell, images)
    with left:
        show_figure("map-heatmap", run, view, key="map", on_select=lambda: _pick_cells(run))
        with st.container(horizontal=True, vertical_alignment="bottom"):
            choosing.draw(CLICK, run)
            choose_cell(run)


def _lead_to_groups(run: Run) -> None:
    """Which sets are near, far or shifted, and the way to their means; nothing where no set is in a group."""
    if run.set_groups:
        groups = "; ".join(f"{group}: {', '.join(names)}" for group, names in run.set_groups.items())
        st.caption(escape(f"Groups of sets. {groups}"))
        st.page_link(
            "pages/protocol.py",
            label="See near, far and full-spectrum AUROC",
            icon=":material/arrow_forward:",
            query_params={"run": run.path.name, "protocol_view": "groups"},
        )


def _warn_of_alike(run: Run, ood: str) -> None:
    """A set whose images are all the same: its map is that of one image, whatever its intervals say."""
    count = data.alike(run, ood)
    if count:
        st.warning(
            f"All {count:,} images of {escape(ood)} are the same, pixel by pixel. The map says where this one image "
            "ranks among the ID images, and its intervals mean nothing. Measure different images of its kind.",
            icon=":material/warning:",
        )


def _controls(run: Run) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        choosing.draw(OOD, run)
        choosing.draw(METRIC, run)
        with st.popover("Data", icon=":material/download:", help="Everything behind this page, as files."):
            _data_downloads(run)


def _pick_cells(run: Run) -> None:
    """A click opens the cell; while composing it also puts the cell into the detector, or takes it out again."""
    composing = st.session_state["click"] == "compose"
    if clicked := picked("map"):
        st.session_state["cell"] = clicked[-1]
    elif not composing:
        return  # a second click on the open cell
    index, cells = st.session_state["cell"], st.session_state["cells"]
    if composing:
        st.session_state["cells"] = [i for i in cells if i != index] if index in cells else [*cells, index]


def _pick_set(run: Run) -> None:
    if clicked := picked("strip"):
        st.session_state["ood"] = run.ood_names[clicked[0]]


def _add_cell(index: int) -> None:
    if index not in st.session_state["cells"]:
        st.session_state["cells"] = [*st.session_state["cells"], index]


def _report(run: Run, shown: dict[str, Choices]) -> str:
    """Of the cell that is open when the report is asked for: a click on a cell does not draw the button again."""
    view = shown.get("view") or _view(run)
    return html.html_report(run, choices=view if view.cells else replace(view, cells=choose(run).cells))


def _data_downloads(run: Run) -> None:
    shown = st.session_state.setdefault(_VIEW, {})
    st.download_button(
        "Report of this run (HTML)",
        lambda: _report(run, shown),
        f"{run.path.name}-report.html",
        "text/html",
        help="One file that needs no network: the figures of every page for this OOD set and cell with their data, the "
        "spec, versions and citation. Takes some seconds.",
        on_click="ignore",
    )
    st.download_button(
        "Map of all OOD sets (CSV)",
        lambda: to_csv(run.table("auroc_map")),
        f"{run.path.name}-map.csv",
        "text/csv",
        on_click="ignore",
    )
    st.download_button(
        "Scores of every image (Parquet)",
        lambda: _scores_parquet(run),
        f"{run.path.name}-scores.parquet",
        help="One row per image, one column per cell (tap @ lam): slot scores, mean over draws. Higher = more OOD.",
        on_click="ignore",
    )
    st.download_button(
        "Spec of this run (YAML)",
        lambda: (run.path / "spec.yaml").read_text(),
        f"{run.path.name}.yaml",
        "application/yaml",
        on_click="ignore",
    )


def _scores_parquet(run: Run) -> bytes:
    """Per-image slot scores as a Parquet file."""
    buffer = io.BytesIO()
    run.score_table().to_parquet(buffer, index=False)
    return buffer.getvalue()
