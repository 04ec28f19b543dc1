"""The first page: what this is in three sentences, a real map with what it says, and the explorations to open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from cfs_explore.errors import CFSError
from cfs_explore.locations import PROJECT
from cfs_explore.store import Run
from cfs_explore.ui import data, tour
from cfs_explore.ui.sidebar import escape
from cfs_explore.ui.small_map import glance
from cfs_explore.wording import counted

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
    runs = list(data.explorations().values())
    shown = bool(runs) and _read(runs[0], _first)
    with st.container(horizontal=True, vertical_alignment="center"):
        if shown:
            _open_button(data.load_run(runs[0]), "Open this map", f"first_{runs[0].name}")
        tour.invite()
    with st.expander("How it works", icon=":material/schema:"), st.container(key="how_it_works"):
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
    if not runs:
        st.info("There is none yet: make one with New exploration.")
    columns = st.columns(2)
    for position, path in enumerate(_worth_a_card(runs)):
        with columns[position % 2], st.container(border=True):
            _read(path, _card)
    st.caption(
        "The method: Canonical Feature Snapshots under the Mutualized Backbone-Equated protocol, "
        "[arXiv 2605.11014](https://arxiv.org/abs/2605.11014)."
    )


def _read(path: Path, show_run: Callable[[Run], None]) -> bool:
    """Show something of a run, or why it cannot be read; whether it could be."""
    try:
        show_run(data.load_run(path))
    except CFSError as error:
        st.error(escape(str(error)))
        return False
    return True


def _first(run: Run) -> None:
    """The answer of one exploration: what was asked about, the map, and what it says."""
    seen = glance(run)
    st.html(seen.large)
    st.markdown(seen.headline)
    st.caption(
        f"{escape(run.name)}. Each cell is one layer at one noise level. Grey: it cannot tell OOD from ID (AUROC 0.5, "
        "chance); blue: OOD images score higher, up to 1; brown: lower. The star is the best cell."
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


def _card(run: Run) -> None:
    """Pictures, map and what it says; settings behind a click."""
    manifest, seen = run.manifest, glance(run)
    st.subheader(escape(run.name), anchor=False)
    st.html(seen.pictures)
    st.markdown(seen.headline)
    facts = run.path / "card.md"  # Markdown, so only where this project wrote it
    written = run.path in data.bundles() and facts.is_file()
    with st.expander("Settings, data, training, limits, licence" if written else "Settings"):
        if manifest.description:
            st.markdown(escape(manifest.description))
        st.caption(
            f"{counted(len(run.taps), 'tap')} × {counted(len(run.levels), 'noise level')} × "
            f"{counted(run.draws, 'draw')} · ID: {escape(run.id_test.name)} (n = {run.id_test.count:,}) · "
            f"OOD: {escape(', '.join(run.ood_names))}"
        )
        if written:
            st.markdown(facts.read_text(encoding="utf-8"))
    _open_button(run, "Open the map", f"open_{run.path.name}")


def _open_button(run: Run, label: str, key: str) -> None:
    """A way to the map that is shown."""
    if st.button(label, key=key, type="primary", icon=":material/grid_on:"):
        st.switch_page("pages/map.py", query_params={"run": run.path.name, "ood": glance(run).ood})
