"""What the diagnostic pages share: a stage's table or why it is not there, formulas."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from cfs_explore.store import Run
from cfs_explore.studies import writer_of
from cfs_explore.ui.missing_stage import show_missing, show_skipped


def stage_table(run: Run, name: str, *, everything: bool = True) -> pd.DataFrame | None:
    """A stage's table; where there is none, None, and in its place on the page why, and the way to get it.

    Args:
        run: the exploration.
        name: of the table.
        everything: offer all that is missing, too; once on a page.
    """
    stage = writer_of(name)
    entry = run.manifest.stages.get(stage.name)
    if entry is not None and entry.state == "skipped":
        show_skipped(run, stage)
        return None
    if not run.has_table(name):
        show_missing(run, stage, everything=everything)
        return None
    return run.table(name)


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
