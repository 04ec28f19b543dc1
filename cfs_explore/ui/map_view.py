"""The map page: headline, strip of small maps, the large map with its cell panel, and the composer."""

from __future__ import annotations

import io

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from cfs_explore.figures import (
    alt_text,
    auroc_map_figure,
    format_estimate,
    map_caption,
    short_tap_name,
    small_multiples_caption,
    small_multiples_figure,
)
from cfs_explore.store import Run
from cfs_explore.ui import composer, data, state
from cfs_explore.ui.cell_panel import cell_label, show_cell
from cfs_explore.ui.figure import show_figure

#: Okabe-Ito orange, which no cell of the map has: also the colour of what is composed here.
OPEN_CELL_COLOUR = "#E69F00"
METRICS = {"auroc": "AUROC", "aupr": "AUPR", "fpr95": "FPR95"}
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
    preset = composer.default_cells(run)
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


@st.fragment
def _page(run: Run) -> None:
    """Everything but the sidebar: what a change of the OOD set or the metric draws again."""
    st.title("Where does the signal live?", anchor=False)
    st.markdown(_headline(run, st.session_state["ood"]))
    _controls(run)
    _remember("ood", "metric")
    if len(run.ood_names) > 1 and st.session_state["all_sets"]:
        _strip(run, st.session_state["metric"])
    _map_and_cell(run)


@st.fragment
def _map_and_cell(run: Run) -> None:
    """What a click on a cell draws again, and no more: the map, its cell and the composer."""
    ood, metric, index = (st.session_state[key] for key in ("ood", "metric", "cell"))
    frame = data.map_frame(run, run.digest, ood)
    _remember("cell", "cells", "click")
    left, right = st.container(key="map_and_cell").columns([5, 3], gap="large")
    with left:
        _map(run, ood, metric, frame)
        composer.show_composer(run, ood, lambda cell: cell_label(run, cell))
    with right, st.container(key="cell_panel"):
        on_add = None if index in st.session_state["cells"] else _add_cell
        show_cell(run, ood, index, frame.iloc[index], on_add)


def _headline(run: Run, ood: str) -> str:
    """One sentence that the data says."""
    best = data.table(run, run.digest, "best_cell")
    row = best[best["ood"] == ood] if len(best) else best
    if row.empty:
        return f"Too few images of **{ood}** to say where its signal lives."
    row = row.iloc[0]
    tap = run.taps[int(row["cell_index"]) % len(run.taps)]
    level = run.levels[int(row["cell_index"]) // len(run.taps)]
    value = format_estimate(row["honest"], row["honest_lo"], row["honest_hi"])
    if row["honest_lo"] <= 0.5:
        return f"For **{ood}**, no single cell tells OOD from ID with confidence: the best has AUROC {value}."
    return (
        f"For **{ood}**, the signal is strongest in the **{tap.region}** ({short_tap_name(tap.name)}) at "
        f"**λ = {level.lam:.1f}**: the best cell has AUROC **{value}**, picked on one half of the images and judged "
        "on the other."
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
    frames = {ood: data.map_frame(run, run.digest, ood) for ood in run.ood_names}
    best = data.table(run, run.digest, "best_cell")
    texts = {
        row["ood"]: f"best {format_estimate(row['honest'], row['honest_lo'], row['honest_hi'])}"
        for row in (best.to_dict("records") if len(best) else [])
    }
    figure = small_multiples_figure(frames, metric, state.figure_theme(), best=texts, selected=st.session_state["ood"])
    show_figure(
        figure,
        key="strip",
        rows=_telling_first(pd.concat([frame.assign(ood=ood) for ood, frame in frames.items()]), metric),
        caption=small_multiples_caption(frames, metric).split(";")[0]
        + ". Below each name: the best cell's AUROC, honest split-half value with 95 % CI. Click a map to open it.",
        alt=f"Small {METRICS[metric]} maps of {len(frames)} OOD sets: {', '.join(frames)}.",
        file_name=f"{run.path.name}-all-{metric}",
        on_select=lambda: _pick_set(run),
    )


def _map(run: Run, ood: str, metric: str, frame: pd.DataFrame) -> None:
    cells, cell = st.session_state["cells"], st.session_state["cell"]
    figure = auroc_map_figure(frame, metric, cells, state.figure_theme())
    _outline_open_cell(figure, cell)
    st.segmented_control(
        "A click on the map",
        list(CLICKS),
        key="click",
        format_func=CLICKS.get,
        required=True,
        help="Opening shows the cell beside the map. Composing also puts it into the detector below, or takes it out.",
    )
    show_figure(
        figure,
        key="map",
        rows=_telling_first(frame.drop(columns=["lo", "hi"]), metric),
        caption=map_caption(frame, metric, ood, {"backbone": run.manifest.backbone.name, "head": "diagonal"}),
        alt=alt_text(frame, metric),
        file_name=f"{run.path.name}-{ood}-{metric}".replace(" ", "-"),
        on_select=lambda: _pick_cells(run),
    )


def _telling_first(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The map's table with the columns in front that say where and how much."""
    first = [name for name in ("ood", "tap", "lam", metric, f"{metric}_lo", f"{metric}_hi") if name in rows]
    return rows[first + [name for name in rows if name not in first]]


def _outline_open_cell(figure: go.Figure, cell: int) -> None:
    """A second, wider outline around the cell that the panel shows; the composed cells have theirs, with numbers."""
    layer = figure.data[-1]
    position = layer.customdata.index(cell)
    x, y = layer.x[position], layer.y[position]
    figure.add_shape(
        type="rect",
        x0=x - 0.5,
        x1=x + 0.5,
        y0=y - 0.5,
        y1=y + 0.5,
        line={"color": OPEN_CELL_COLOUR, "width": 3},
        fillcolor="rgba(0,0,0,0)",
        name="open cell",
    )


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
    st.download_button(
        "Map of all OOD sets (CSV)",
        lambda: run.table("auroc_map").to_csv(index=False),
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
