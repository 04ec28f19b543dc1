"""The sidebar's head: which exploration, what it rests on, and its warnings."""

from __future__ import annotations

import streamlit as st

from cfs_explore.diagnostics import CONSEQUENCE
from cfs_explore.errors import CFSError
from cfs_explore.explorations.missing import measured_of
from cfs_explore.store import Run
from cfs_explore.ui import data, state
from cfs_explore.wording import counted, format_value


def show() -> None:
    """Let the visitor choose the exploration; it stays chosen across pages and in the URL."""
    runs = data.explorations()
    with st.sidebar:
        if not runs:
            st.info("There is no exploration yet. Make one on the page New exploration.")
            return
        titles = data.titles(runs)
        state.restore(
            "run",
            next(iter(runs)),
            list(runs),
            sticky=True,
            lacking="There is no exploration",
            label=titles.get,
        )
        st.selectbox(
            "Exploration",
            list(runs),
            key="run",
            format_func=titles.get,
            help="A measured map: one backbone, one in-distribution (ID) set, and the sets it is compared with.",
        )
        state.remember(run=st.session_state["run"])
        try:
            _describe(data.load_run(runs[st.session_state["run"]]))
        except CFSError as error:
            st.error(escape(str(error)))


def chosen() -> Run | None:
    """The run chosen in the sidebar; None (with a message on the page) when there is none that can be read."""
    runs = data.explorations()
    path = runs.get(st.session_state.get("run", next(iter(runs), "")))
    if path is None:
        st.info("There is no exploration to show yet.")
        st.page_link("pages/new.py", label="Make a new exploration", icon=":material/add_circle:")
        return None
    try:
        run = data.load_run(path)
    except CFSError as error:
        st.error(escape(str(error)))
        return None
    _warn_of_differences(run)
    measured = measured_of(run)
    if measured is not None:
        st.info(f"Stopped early: {measured[0]:,} of {measured[1]:,} images were measured.", icon=":material/info:")
    return run


def _warn_of_differences(run: Run) -> None:
    """One line on top of every page about OOD sets that were stored otherwise than the ID images (theory 18)."""
    warnings = [text for text in run.manifest.warnings if text.endswith(CONSEQUENCE)]
    if len(warnings) == 1:
        st.warning(escape(warnings[0]), icon=":material/warning:")
    elif warnings:
        names = [name for name in run.ood_names if any(text.startswith(f"{name} differs") for text in warnings)]
        st.warning(
            f"{escape(', '.join(names))} differ from the ID set in codec, native size or colour (see the warnings "
            f"at the left): {CONSEQUENCE}",
            icon=":material/warning:",
        )


def _describe(run: Run) -> None:
    manifest = run.manifest
    train, test = run.entry("id_train"), run.id_test
    facts = [
        (manifest.backbone.name, f"Backbone: {format_value(manifest.backbone.parameters / 1e6, 1)} M parameters"),
        (f"ID {test.name}", test.description or "The in-distribution set"),
        (f"n = {train.count:,} + {test.count:,} ID", "Images that fit the statistics + images that are scored"),
        (counted(run.draws, "draw"), "Noise draws per image, averaged"),
    ]
    with st.container(horizontal=True, gap="small"):
        for label, help_text in facts:
            st.badge(escape(label), color="gray", help=escape(help_text))
    if manifest.warnings:
        with st.expander(counted(len(manifest.warnings), "warning"), icon=":material/warning:"):
            for warning in manifest.warnings:
                st.markdown(f"- {escape(warning)}")


def escape(text: str) -> str:
    """Text from users, harmless in Markdown."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]()#+-.!|<>~$:" else c for c in text)
