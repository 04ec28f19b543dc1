"""The controls page: what the trained backbone adds to untrained copies, re-encoded images and plain statistics."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from cfs_explore.figures import controls as figures
from cfs_explore.figures.choices import Choices, choose
from cfs_explore.figures.needs import stage_rows
from cfs_explore.headlines.controls import controls_headline
from cfs_explore.store import Run
from cfs_explore.ui import controls_details, diagnostic_page, state
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
    diagnostic_page.restore_ood(run)
    state.restore("controls_against", figures.CONTROL.default, figures.CONTROL.values)
    state.restore("controls_draws", figures.ON_TRAINED_SIDE.default, figures.ON_TRAINED_SIDE.values)
    state.restore("controls_view", "statistics", list(controls_details.VIEWS))
    state.restore("controls_level", run.manifest.kept["level"], range(len(run.levels)), parse=int)
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
    st.segmented_control(
        "Look closer",
        list(controls_details.VIEWS),
        key="controls_view",
        format_func=controls_details.VIEWS.get,
        required=True,
        help="Image statistics: which of them gives the set away without any network. Re-encoding: what one codec and "
        "one resizing for all images leaves. Seeds: how much an untrained copy's map hangs on its random weights.",
    )
    state.remember(controls_view=st.session_state["controls_view"])
    controls_details.show(run, view, st.session_state["controls_view"])
    diagnostic_page.formulas(_FORMULAS)


def _controls(run: Run) -> Choices:
    """OOD set, control, and under More the draws of the trained side."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        ood = diagnostic_page.ood_control(run)
        control = st.segmented_control(
            "Trained backbone minus",
            list(figures.CONTROLS),
            key="controls_against",
            format_func=figures.CONTROLS.get,
            required=True,
            help="Untrained copies: the same network with random weights. What they can do, training did not bring. "
            "Re-encoded images: the trained network after all images went through the same resizing and JPEG. What is "
            "lost then may have been codec or resolution, not content.",
        )
        if run.draws > 1:
            with st.popover("More"):
                st.radio(
                    "Noise draws on the trained side",
                    list(figures.DRAWS),
                    key="controls_draws",
                    format_func=figures.DRAWS.get,
                    help=f"The map averages {run.draws} noise draws per image, which alone raises AUROC where noise is "
                    "strong; the controls have one, the first of them. One draw on both sides is the fair comparison.",
                )
    options = {figures.CONTROL.name: control, figures.ON_TRAINED_SIDE.name: st.session_state["controls_draws"]}
    state.remember(controls_against=control, controls_draws=st.session_state["controls_draws"])
    return replace(choose(run), ood=ood, options=options)
