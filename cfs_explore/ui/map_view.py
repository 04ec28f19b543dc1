"""The map page: headline, strip of small maps, the large map with its cell panel, and the composer."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

from cfs_explore.csv_export import to_csv
from cfs_explore.headlines.map import map_headline
from cfs_explore.plates import Plate, html_report
from cfs_explore.plates import map as plates
from cfs_explore.plates.choices import METRICS, choose
from cfs_explore.plates.detector import cell_label
from cfs_explore.store import Run
from cfs_explore.ui import composer, data, state
from cfs_explore.ui.cell_choice import choose_cell
from cfs_explore.ui.cell_panel import show_composable_cell
from cfs_explore.ui.damage import fragment
from cfs_explore.ui.detector_choice import default_cells
from cfs_explore.ui.figure import kept_plate, show_plate
from cfs_explore.ui.sidebar import escape

CLICKS = {"open": "opens a cell", "compose": "composes a detector"}


def show(run: Run) -> None:
    """The whole page for one run."""
    _restore(run)
    _page(run)


def _restore(run: Run) -> None:
    """Bring the view back from the URL; what does not fit this run falls back to its defaults."""
    count = len(run.levels) * len(run.taps)
    if st.session_state.get("map_run") not in (None, run.path.name):
        state.forget("ood", "cell", "cells")
    st.session_state["map_run"] = run.path.name
    state.restore("ood", run.ood_names[0], run.ood_names)
    state.restore("metric", "auroc", list(METRICS))
    state.restore("click", "open", list(CLICKS))
    preset = default_cells(run)
    state.restore("cell", preset[-1], range(count), parse=int)
    state.restore("cells", preset, parse=lambda text: _known_cells(text, count), write=state.format_cells)
    _remember("ood", "metric", "click", "cell", "cells")


def _remember(*keys: str) -> None:
    """Write parts of the view into the address."""
    values = {key: st.session_state[key] for key in keys}
    state.remember(**{key: state.format_cells(value) if key == "cells" else value for key, value in values.items()})


def _known_cells(text: str, count: int) -> list[int]:
    """The cells of an address; a ValueError for one outside the map."""
    cells = state.parse_cells(text)
    if not all(index in range(count) for index in cells):
        raise ValueError(text)
    return cells


@fragment
def _page(run: Run) -> None:
    """Everything but the sidebar: what a change of the OOD set or the metric draws again."""
    st.title("Where does the signal live?", anchor=False)
    best = run.table("best_cell")
    st.markdown(map_headline(st.session_state["ood"], best, run.levels, run.taps))
    _warn_of_alike(run, st.session_state["ood"])
    _controls(run)
    _remember("ood", "metric")
    if len(run.ood_names) > 1 and st.session_state["all_sets"]:
        _strip(run, st.session_state["metric"])
    _map_and_cell(run)


@fragment
def _map_and_cell(run: Run) -> None:
    """What a click on a cell draws again, and no more: the map, its cell and the composer."""
    ood, metric, index = (st.session_state[key] for key in ("ood", "metric", "cell"))
    frame = run.auroc_map(ood)
    _remember("cell", "cells", "click")
    left, right = st.container(key="map_and_cell").columns([5, 3], gap="large")
    with left:
        _map(run, ood, metric, frame)
        composer.show_composer(run, ood, lambda cell: cell_label(run, cell))
    with right, st.container(key="cell_panel"):
        on_add = None if index in st.session_state["cells"] else _add_cell
        show_composable_cell(run, ood, index, frame.iloc[index], on_add)


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
        st.selectbox(
            "OOD set",
            run.ood_names,
            key="ood",
            width=240,
            help="Out-of-distribution images that the map tells apart from the in-distribution test set.",
        )
        st.segmented_control(
            "Metric",
            list(METRICS),
            key="metric",
            format_func=METRICS.get,
            required=True,
            help="AUROC: 0.5 is chance. AUPR: average precision, OOD positive. FPR95: ID images wrongly flagged when "
            "95 % of the OOD images are caught; lower is better.",
        )
        if len(run.ood_names) > 1:
            st.toggle(
                "All OOD sets", key="all_sets", value=True, help="Small maps of every OOD set; click one to open it."
            )
        with st.popover("Data", icon=":material/download:", help="Everything behind this page, as files."):
            _data_downloads(run)


def _strip(run: Run, metric: str) -> None:
    ood = st.session_state["ood"]

    def make(theme: str) -> Plate:
        frames = {name: run.auroc_map(name) for name in run.ood_names}
        return plates.all_sets(run, frames, run.table("best_cell"), metric, ood, theme)

    show_plate(
        kept_plate(run, "strip", (metric, ood), make),
        key="strip",
        hint="Click a map to open it.",
        on_select=lambda: _pick_set(run),
    )


def _map(run: Run, ood: str, metric: str, frame: pd.DataFrame) -> None:
    cells, cell = tuple(st.session_state["cells"]), st.session_state["cell"]
    plate = kept_plate(
        run,
        "map",
        (ood, metric, cells, cell),
        lambda theme: plates.heatmap(run, ood, frame, metric, list(cells), cell, theme),
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control(
            "A click on the map",
            list(CLICKS),
            key="click",
            format_func=CLICKS.get,
            required=True,
            help="Opening shows the cell beside the map. Composing also puts it into the detector below, or takes it "
            "out.",
        )
        choose_cell(run)
    show_plate(plate, key="map", on_select=lambda: _pick_cells(run))


def _pick_cells(run: Run) -> None:
    """A click opens the cell; while composing it also puts the cell into the detector, or takes it out again."""
    points = st.session_state["map"]["selection"]["points"]
    picked = [int(point["customdata"]) for point in points if isinstance(point.get("customdata"), int)]
    composing = st.session_state["click"] == "compose"
    if picked:
        st.session_state["cell"] = picked[-1]
    elif not composing:
        return  # a second click on the open cell
    index, cells = st.session_state["cell"], st.session_state["cells"]
    if composing:
        st.session_state["cells"] = [i for i in cells if i != index] if index in cells else [*cells, index]


def _pick_set(run: Run) -> None:
    points = st.session_state["strip"]["selection"]["points"]
    if points and isinstance(points[0].get("customdata"), int):
        st.session_state["ood"] = run.ood_names[points[0]["customdata"]]


def _add_cell(index: int) -> None:
    if index not in st.session_state["cells"]:
        st.session_state["cells"] = [*st.session_state["cells"], index]


def _data_downloads(run: Run) -> None:
    view = [st.session_state[key] for key in ("ood", "metric", "cell", "cells")]
    st.download_button(
        "Report of this run (HTML)",
        lambda: _report(run, *view),
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


def _report(run: Run, ood: str, metric: str, cell: int, cells: Sequence[int]) -> str:
    """The report of what the page shows."""
    choices = choose(run, ood=ood, metric=metric)
    return html_report.html(run, choices=replace(choices, cell=cell, cells=tuple(cells) or choices.cells))


def _scores_parquet(run: Run) -> bytes:
    """Per-image slot scores as a Parquet file."""
    buffer = io.BytesIO()
    run.score_table().to_parquet(buffer, index=False)
    return buffer.getvalue()
