"""What the diagnostic pages share: the choice of an OOD set, a stage's table or why it is not there, formulas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pandas as pd
import streamlit as st

from cfs_explore import bundles, jobs
from cfs_explore.locations import runs_root
from cfs_explore.plates.needs import NotMeasuredError
from cfs_explore.stages import STAGES
from cfs_explore.store import Run
from cfs_explore.ui import data, state
from cfs_explore.ui.sidebar import escape


def restore_ood(run: Run) -> str:
    """The OOD set of the address, shared by all pages; call before ``ood_control``."""
    return state.restore("ood", run.ood_names[0], run.ood_names)


def ood_control(run: Run) -> str:
    """Let the visitor choose the OOD set."""
    chosen = st.selectbox(
        "OOD set",
        run.ood_names,
        key="ood",
        width=240,
        help="Images to be told apart from the in-distribution test set.",
    )
    state.remember(ood=chosen)
    return chosen


def stage_table(run: Run, name: str) -> pd.DataFrame | None:
    """A stage's table; where there is none, None, and in its place on the page why and what to run."""
    stage = next(stage for stage in STAGES.values() if name in stage.tables)
    entry = run.manifest.stages.get(stage.name)
    if entry is not None and entry.state == "skipped":
        st.info(f"{stage.title} could not be computed: {escape(entry.why)}", icon=":material/info:")
        return None
    if not (run.path / "tables" / f"{name}.parquet").is_file():
        forwards = stage.forwards(run.counts)
        cost = f", which takes {forwards:,} forwards of the backbone" if forwards else ""
        without = f"This exploration was made without the stage {stage.title}."
        if not bundles.names_places(run.path):
            st.info(
                f"{without} It was imported, and its backbone and images are not on this server: compute it where it "
                "was made.",
                icon=":material/info:",
            )
            return None
        st.info(f"{without} Compute it{cost}:", icon=":material/info:")
        if run.path.parent != runs_root():
            st.code(f"cfs-explore diagnose {run.path.name} --stages {stage.name}", language="bash")
        elif st.button("Compute it now", key=f"compute_{name}", type="primary", icon=":material/play_arrow:"):
            jobs.start(run.path, [stage.name])
            st.switch_page("pages/new.py", query_params={"job": run.path.name})
        return None
    return data.table(run, run.digest, name)


@contextmanager
def or_why() -> Iterator[None]:
    """Around a plate that is made and shown: where the run lacks it, the page says why in its place."""
    try:
        yield
    except NotMeasuredError as why:
        st.info(escape(str(why)))


def formulas(entries: Mapping[str, str], *, lab: str | None = None) -> None:
    """How the page's numbers are computed, one click away.

    Args:
        entries: what a number is, with its number in the theory -> its formula in LaTeX.
        lab: what to look at in the lab, which is linked.
    """
    with st.popover("How it is computed", icon=":material/function:", type="tertiary"):
        for text, formula in entries.items():
            st.markdown(text)
            st.latex(formula)
        if lab:
            st.page_link("pages/lab.py", label=lab, icon=":material/science:")
