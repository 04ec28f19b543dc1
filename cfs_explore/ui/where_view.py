"""The page Where: which cells find what is marked in an image, and which only tell that something is odd."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from cfs_explore.figures import where as figures
from cfs_explore.figures.choices import OOD, Choices, choose
from cfs_explore.headlines.where import where_headline
from cfs_explore.store import Run
from cfs_explore.ui import choosing, diagnostic_page
from cfs_explore.ui.damage import fragment
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.sidebar import escape

_FORMULAS = {
    "**Score** A at a position p of a tap's map h (22); m and s are its mean and standard deviation in channel c, "
    "μ and v ID-train's moments of means (c) and deviations (C + c). Its mean over p is the slot score (3):": r"A_p="
    r"\frac1{2C}\sum_c\left[\frac{(m_c-\mu_c)(h_{cp}-\mu_c)}{v_c}+\frac{s_c-\mu_{C+c}}{v_{C+c}}"
    r"\left(\frac{(h_{cp}-m_c)^2}{s_c}-\mu_{C+c}\right)\right]",
    "**Local deviation** B (23), about 1 on ID images:": r"B_p=\frac1C\sum_c\frac{(h_{cp}-\mu_c)^2}"
    r"{v_c+v_{C+c}+\mu_{C+c}^2}",
    "**Pixel AUROC** (24): over pairs of an unmarked and a marked pixel of any two images; images, or groups of them, "
    "are independent:": r"P(A_{\mathrm{marked}}>A_{\mathrm{unmarked}})+\tfrac12P(=)",
    "**AUPRO** (24): the mean over regions R of the share that is found, up to 30 % of false pixels:": r"\frac1{0.3}"
    r"\int_0^{0.3}\overline{\mathrm{TPR}_R}\;d\mathrm{FPR}",
    "**Pixel z-scores**, the same of the image itself, over channels; σ is half a grey step at least:": r"\frac1{C}"
    r"\sum_c\frac{(x_{cp}-\mu_{cp})^2}{\sigma_{cp}^2}",
}


def show(run: Run) -> None:
    """The whole page for one run."""
    choosing.restore(OOD, run)
    _page(run)


@fragment
def _page(run: Run) -> None:
    """Everything but the sidebar."""
    st.title("Where in the image?", anchor=False)
    if diagnostic_page.stage_table(run, "localisation") is None:
        return
    headline = st.empty()
    view = _controls(run)
    part = figures.PART.of(view.options)
    headline.markdown(where_headline(escape(view.ood), part, figures.best_of(run, view)))
    left, right = st.container(key="beside_where").columns([5, 3], gap="large")
    with left:
        show_figure("where-map", run, view, key="where_map")
    with right:
        st.header("Does it need training?", anchor=False)
        show_figure("where-comparison", run, view, key="where_dots")
    st.header("Which localise, which only detect?", anchor=False)
    show_figure("where-detection", run, view, key="where_scatter")
    diagnostic_page.formulas(_FORMULAS)


def _controls(run: Run) -> Choices:
    """OOD set, part of the map, measure."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        ood, part, measure = choosing.choose_all(run, OOD, figures.PART, figures.MEASURE)
    options = {figures.PART.name: part, figures.MEASURE.name: measure}
    return replace(choose(run), ood=ood, options=options)
