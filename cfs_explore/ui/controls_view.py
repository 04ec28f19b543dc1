"""The controls page: what the trained backbone gains over untrained copies, re-encoded images and plain statistics."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from cfs_explore.figures import controls as figures
from cfs_explore.figures.choices import OOD, Choices, choose
from cfs_explore.figures.needs import stage_rows
from cfs_explore.headlines.controls import controls_headline
from cfs_explore.store import Run
from cfs_explore.ui import choosing, controls_details, diagnostic_page
from cfs_explore.ui.damage import fragment
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.sidebar import escape

_FORMULAS = {
    "**Excess** of a cell over S copies of a control (18), all on the same images:": r"\mathrm{excess} = A_{\mathrm{"
    r"trained}} - \frac1S\sum_{s=1}^{S}A_{\mathrm{control},s}",
    "Its variance (27, 29), with V the DeLong covariance of the 1 + S AUROCs, from the images, and the spread of the "
    "copies:": r"c^\top V c+\frac{\mathrm{var}(A_{\mathrm{control},s})}{S},\quad "
    r"c=\left(1,-\tfrac1S,\dots,-\tfrac1S\right)",
    "**Best against best**: either side picks its best cell on one half of the images and is judged on the other half; "
    "500 random halvings, both directions, averaged. An **image statistic** x is scored like a channel (3), with μ and "
    "v of ID-train; all together are the mean of these:": r"s(x)=\frac{(x-\mu)^2}{v}",
}


def show(run: Run) -> None:
    """The whole page for one run."""
    choosing.restore(OOD, run)
    _page(run)


@fragment
def _page(run: Run) -> None:
    """Everything but the sidebar."""
    st.title("Is it the backbone?", anchor=False)
    if diagnostic_page.stage_table(run, "excess") is None:
        return
    headline = st.empty()
    view = _controls(run)
    best = stage_rows(run, "best_excess", ood=view.ood, draws=figures.draws_of(run, view))
    headline.markdown(controls_headline(escape(view.ood), best))
    left, right = st.container(key="beside_controls").columns([5, 3], gap="large")
    with left:
        show_figure("controls-excess", run, view, key="excess")
    with right:
        st.header("Best against best", anchor=False)
        show_figure("controls-comparison", run, view, key="controls_dots")
    controls_details.show(run, view, choosing.choose(controls_details.LOOK, run))
    diagnostic_page.formulas(_FORMULAS)


def _controls(run: Run) -> Choices:
    """OOD set, control, and under More the draws of the trained side."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        ood, control = choosing.choose_all(run, OOD, figures.CONTROL)
        draws = choosing.restore(figures.ON_TRAINED_SIDE)
        if run.draws > 1:
            with st.popover("More"):
                draws = choosing.draw(figures.ON_TRAINED_SIDE)
    choosing.remember(run, figures.ON_TRAINED_SIDE)
    options = {figures.CONTROL.name: control, figures.ON_TRAINED_SIDE.name: draws}
    return replace(choose(run), ood=ood, options=options)
