"""The page Training: how the map comes into being, over the weights that the training kept on its way."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from cfs_explore.figures import training as figures
from cfs_explore.figures.choices import OOD, Choices, choose
from cfs_explore.headlines.training import training_headline
from cfs_explore.store import Run
from cfs_explore.ui import choosing, diagnostic_page
from cfs_explore.ui.damage import fragment
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.sidebar import escape

_FORMULAS = {
    "**Steps**: the weights kept after t steps are scored against their own statistics of ID-train, on the images and "
    "the noise draw of the controls; A is the AUROC of a cell k (3). **Mean over all K cells**, and its excess over "
    "the first weights (38):": r"\bar A_t=\frac1K\sum_kA_{k,t},\qquad \mathrm{excess}_t=\bar A_t-\bar A_0",
    "Both are means of placements (27), so the paired variance of the excess is that of their contrast; groups of "
    "images count as one (28). **Best cells** are compared best against best, each picked on one half of the images "
    "and judged on the other (18, 30). **Still to come** in a cell:": r"A_{k,\mathrm{last}}-A_{k,t}",
}


def show(run: Run) -> None:
    """The whole page for one run."""
    choosing.restore(OOD, run)
    _page(run)


@fragment
def _page(run: Run) -> None:
    """Everything but the sidebar."""
    st.title("How does the map come into being?", anchor=False)
    if diagnostic_page.stage_table(run, "training_steps") is None:
        return
    headline = st.empty()
    view = _controls(run)
    headline.markdown(training_headline(escape(view.ood), figures.steps_of(run, view)))
    left, right = st.container(key="beside_training").columns([5, 3], gap="large")
    with left:
        show_figure("training-map", run, view, key="training_map")
        st.header("What is still to come", anchor=False)
        show_figure("training-to-come", run, view, key="training_to_come")
    with right:
        show_figure("training-auroc", run, view, key="training_auroc")
        st.header("Above the first weights", anchor=False)
        show_figure("training-excess", run, view, key="training_excess")
    diagnostic_page.formulas(_FORMULAS)


def _controls(run: Run) -> Choices:
    """OOD set and step."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        ood, step = choosing.choose_all(run, OOD, figures.STEP)
    options = {figures.STEP.name: figures.STEP.write(step, run)}
    return replace(choose(run), ood=ood, options=options)
