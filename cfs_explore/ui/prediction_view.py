"""The prediction page: cells ranked by proxies against the truth, and what each policy's choice costs."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from cfs_explore.figures import sealed as figures_sealed
from cfs_explore.figures.choices import OOD, Choices, choose
from cfs_explore.figures.detector import cell_label
from cfs_explore.figures.needs import stage_rows
from cfs_explore.figures.options import Control
from cfs_explore.figures.places import CELL
from cfs_explore.figures.prediction import published_lam
from cfs_explore.headlines.prediction import prediction_headline
from cfs_explore.store import Run
from cfs_explore.store.seal import has_seal
from cfs_explore.ui import choosing, diagnostic_page, open_cells, prediction_details
from cfs_explore.ui.cell_choice import choose_cell, open_clicked
from cfs_explore.ui.damage import fragment
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.sidebar import escape
from cfs_explore.wording import format_estimate, format_value

LOOK = Control(
    "prediction_view",
    "Look closer",
    {"sets": "All OOD sets", "proxies": "Proxies", "ablation": "Ablation"},
    help="All OOD sets: what each policy loses on each. Proxies: what they look like, and what they say of the "
    "open cell. Ablation: AUROC by number of levels and taps, and with every level moved by half a unit of λ.",
)
_FORMULAS = {
    "**Prediction** (13) of a cell's AUROC against a proxy P, from means and variances of its scores; a cell's "
    "prediction (17) is the mean over the proxies that count for the OOD set:": r"\Phi\left(\frac{E_P[s]-E_{ID}[s]}"
    r"{\sqrt{\mathrm{Var}_{ID}[s]+\mathrm{Var}_P[s]}}\right)",
    "**Rank correlation** (17): Spearman between predicted and measured AUROC over all cells; R are ranks. Its "
    "interval is Fisher's z with the standard error over bootstrap resamples of the images.": r"\rho = "
    r"\mathrm{corr}\big(R_{\mathrm{predicted}}, R_{\mathrm{measured}}\big)",
    "**Regret** (17) of a policy that chooses cell c, with the paired interval:": r"\max_{c'} \mathrm{AUROC}(c')"
    r"-\mathrm{AUROC}(c)",
    "**Gain** (25) of the sealed cell over another policy's c, paired. Confirmed: above 0 against the mean of all "
    "cells, and the sealed map, laid elsewhere on the measured one, seldom ranks as well:": r"\mathrm{AUROC}"
    r"(c_{\mathrm{sealed}})-\mathrm{AUROC}(c)",
    "**ICC** (14), by which one of the policies chooses: the share of the snapshots' variance that is the image's own "
    "and not the noise draw's:": r"\frac{\mathrm{MSB}-\mathrm{MSW}}{\mathrm{MSB}+(M-1)\,\mathrm{MSW}}",
}


def show(run: Run) -> None:
    """The whole page for one run."""
    open_cells.restore(run)
    _page(run)


@fragment
def _page(run: Run) -> None:
    """Everything but the sidebar."""
    st.title("Can the right cell be found without OOD images?", anchor=False)
    measured = diagnostic_page.stage_table(run, "prediction") is not None
    st.markdown(figures_sealed.headline(run, escape))
    if has_seal(run.path):
        with st.expander("The seal", icon=":material/lock:", expanded=_is_judged(run), key="seal"):
            _seal(run)
    headline = st.empty()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        ood = choosing.choose(OOD, run)
    view = replace(choose(run), ood=ood, cell=st.session_state["cell"])
    if measured:
        cells, losses = (stage_rows(run, name, ood=ood) for name in ("prediction", "regret"))
        of_policy = losses.set_index("policy").to_dict("index")
        headline.markdown(prediction_headline(escape(ood), cells.iloc[0], of_policy, published_lam(run)))
        left, right = st.container(key="beside_prediction").columns([5, 4], gap="large")
        with left:
            _scatter(run, view)
        with right:
            _losses(run, view)
            _open_cell(run, cells, view.cell)
    _closer(run, view, measured)
    diagnostic_page.formulas(_FORMULAS)


def _is_judged(run: Run) -> bool:
    """Whether the run's seal judges one of its sets."""
    return run.has_table("sealed_ranking") and bool((run.table("sealed_ranking")["refused"] == "").any())


def _seal(run: Run) -> None:
    """The sealed map, and what it was worth; first on the page, since nothing was known when it was made."""
    view = choose(run)
    judged = _is_judged(run)
    left, right = st.container(key="beside_seal").columns(2, gap="large") if judged else (st.container(), None)
    with left:
        show_figure("prediction-seal", run, view, key="prediction_seal")
    if right is not None:
        with right:
            show_figure("prediction-sealed", run, view, key="prediction_sealed")
    elif run.has_table("sealed_ranking"):
        st.caption(escape(run.table("sealed_ranking")["refused"].iloc[0]))


def _closer(run: Run, view: Choices, measured: bool) -> None:
    """All sets, the proxies or the ablation; the last alone where the stage is missing."""
    if not measured:
        st.header(LOOK.values["ablation"], anchor=False)
        prediction_details.ablation(run, view, everything=False)
        return
    look = choosing.choose(LOOK, run)
    if look == "sets":
        prediction_details.all_sets(run, view)
    elif look == "proxies":
        prediction_details.proxies(run, view)
    else:
        prediction_details.ablation(run, view)


def _scatter(run: Run, view: Choices) -> None:
    st.header(
        "Predicted against measured",
        anchor=False,
        help="Proxies are ID-train images that were blurred, made noisy and so on: stand-ins for OOD images that "
        "nobody has yet. If the order of the cells along both axes is the same, the proxies find the right cell.",
    )
    above = st.container()
    if show_figure(
        "prediction-ranking",
        run,
        view,
        key="prediction_scatter",
        hint="Click a point to open its cell.",
        on_select=lambda: open_clicked("prediction_scatter"),
    ):
        choosing.remember(run, CELL)
        with above:
            choose_cell(run)


def _open_cell(run: Run, cells: pd.DataFrame, index: int) -> None:
    """The open cell's numbers and its ranks."""
    cell = cells.iloc[index]
    ranks = cells[["predicted", "auroc"]].rank(ascending=False, method="min").iloc[index]
    st.header(f"{escape(cell_label(run, index))} ({cell['region']})", anchor=False)
    measured = format_estimate(cell["auroc"], cell["lo"], cell["hi"])
    text = f"Measured AUROC **{measured}**, rank {format_value(ranks['auroc'], 0)} of {len(cells):,}  \n"
    if pd.notna(cell["predicted"]):
        text += f"Predicted **{format_value(cell['predicted'])}** against proxies, "
        text += f"rank {format_value(ranks['predicted'], 0)}"
    st.markdown(text)
    st.page_link("pages/map.py", label="Open it on the map", icon=":material/grid_on:")


def _losses(run: Run, view: Choices) -> None:
    st.header(
        "What a choice loses",
        anchor=False,
        help="Regret: the best cell's AUROC minus that of the cell that a policy chooses. Blue policies use ID images "
        "alone, orange ones the other OOD sets, grey ones neither.",
    )
    show_figure("prediction-losses", run, view, key="prediction_losses")
