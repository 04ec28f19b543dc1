"""The first page: what this is in three sentences and a picture, and the explorations to open."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from cfs_explore.charts import format_estimate
from cfs_explore.errors import CFSError
from cfs_explore.locations import PROJECT
from cfs_explore.store import Run
from cfs_explore.ui import data, tour
from cfs_explore.ui.sidebar import escape

#: Explorations of one's own that get a card; the others are on their page.
_NEWEST = 4
_PICTURE = PROJECT / "docs" / "images" / "how-it-works.svg"


def show() -> None:
    """The whole page."""
    st.title("CFS Explore", anchor=False)
    st.markdown(
        "A diffusion model that has only seen one kind of image reacts differently to others, and that reaction can be "
        "read inside its layers. This tool runs a frozen diffusion model on images at several noise levels, reads a "
        "few numbers from every layer, and maps **where out-of-distribution (OOD) images stand out** from "
        "in-distribution (ID) ones. Open a map below, or upload a zip of pictures and get the same map for them."
    )
    tour.invite()
    with st.container(key="how_it_works"):
        st.image(
            str(_PICTURE),
            width="stretch",
            alt="Three steps: corrupt an image at noise levels from clean to noisy; read a frozen diffusion network at "
            "its encoder and decoder layers; score each layer at each noise level.",
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header("Explorations", anchor=False, width="stretch")
        st.page_link("pages/new.py", label="New exploration", icon=":material/add_circle:")
        st.page_link("pages/explorations.py", label="All explorations", icon=":material/folder_open:")
    runs = list(data.explorations().values())
    if not runs:
        st.info("There is none yet: make one with New exploration.")
    columns = st.columns(2)
    for position, path in enumerate(_worth_a_card(runs)):
        with columns[position % 2], st.container(border=True):
            try:
                _card(data.load_run(path), path)
            except CFSError as error:
                st.error(escape(str(error)))
    st.caption(
        "The method: Canonical Feature Snapshots under the Mutualized Backbone-Equated protocol, "
        "[arXiv 2605.11014](https://arxiv.org/abs/2605.11014)."
    )


def _worth_a_card(runs: list[Path]) -> list[Path]:
    """The bundled explorations, and the newest of the others."""
    bundled = set(data.bundles())
    others = sorted((path for path in runs if path not in bundled), key=_age)
    return [*(path for path in runs if path in bundled), *others[:_NEWEST]]


def _age(path: Path) -> float:
    try:
        return -(path / "manifest.json").stat().st_mtime
    except FileNotFoundError:  # deleted meanwhile
        return 0.0


def _card(run: Run, path: Path) -> None:
    manifest = run.manifest
    st.subheader(escape(run.name), anchor=False)
    if manifest.description:
        st.markdown(escape(manifest.description))
    st.caption(
        f"{len(run.taps)} taps × {len(run.levels)} noise levels × {run.draws} draws · ID: {escape(run.id_test.name)} "
        f"(n = {run.id_test.count:,}) · OOD: {escape(', '.join(run.ood_names))}"
    )
    facts = path / "card.md"  # Markdown, so only where this project wrote it
    if path in data.bundles() and facts.is_file():
        with st.expander("Data, training, limits, licence"):
            st.markdown(facts.read_text(encoding="utf-8"))
    best = run.table("best_cell")
    if len(best):
        row = best.iloc[0]
        value = format_estimate(row["honest"], row["honest_lo"], row["honest_hi"])
        st.caption(f"Best cell for {escape(row['ood'])}: AUROC {value} (honest split-half, 95 % CI)")
    if st.button("Open the map", key=f"open_{path.name}", type="primary", icon=":material/grid_on:"):
        st.switch_page("pages/map.py", query_params={"run": path.name})
