"""The separation page: predicted against measured AUROC of all cells, and what the chosen cell's Delta is made of."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from cfs_explore.charts import short_tap_name
from cfs_explore.figures.choices import OOD, Choices, choose
from cfs_explore.figures.options import Control
from cfs_explore.figures.places import CELL
from cfs_explore.headlines.separation import separation_headline
from cfs_explore.store import Run
from cfs_explore.ui import choosing, diagnostic_page, open_cells, separation_details
from cfs_explore.ui.cell_choice import choose_level_and_tap, open_clicked
from cfs_explore.ui.damage import fragment
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.sidebar import escape
from cfs_explore.wording import format_estimate, format_value

LOOK = Control(
    "separation_view",
    "Look closer",
    {"cells": "Every cell", "channels": "Channels", "heads": "Heads"},
    help="Every cell: what Δ is made of, over the map and along the taps. Channels: which of the chosen cell's "
    "channels carry it. Heads: what the diagonal score loses by ignoring correlations.",
)
_FORMULAS = {
    "**Δ and its parts** (10), exact for the measured samples; μ and v are ID-train's, m and w the OOD set's, m⁰ and "
    "w⁰ ID-test's means and variances of the d features:": r"\Delta = \frac1d\sum_j\frac{(m_j-\mu_j)^2-(m^0_j-\mu_j)^2}"
    r"{v_j} + \frac1d\sum_j\frac{w_j-w^0_j}{v_j}",
    "**Effective dimension** (11), from the correlation matrix R of the features:": r"\mathrm{Var}_{ID}[s] = "
    r"\frac{2\lVert R\rVert_F^2}{d^2} = \frac{2}{d_{\mathrm{eff}}}",
    "**Bound** (12), for any scores with Δ > 0 (Cantelli):": r"\mathrm{AUROC}\ \ge\ \frac{\Delta^2}"
    r"{\Delta^2+\mathrm{Var}_{ID}[s]+\mathrm{Var}_{OOD}[s]}",
    "**Prediction** (13), right for normal scores:": r"\mathrm{AUROC}\approx\Phi\left(\frac{\Delta}"
    r"{\sqrt{\mathrm{Var}_{ID}[s]+\mathrm{Var}_{OOD}[s]}}\right)",
}


def show(run: Run) -> None:
    """The whole page for one run."""
    choosing.restore(OOD, run)
    open_cells.restore(run)
    _page(run)


@fragment
def _page(run: Run) -> None:
    """Everything but the sidebar."""
    st.title("What makes the scores separate?", anchor=False)
    table = diagnostic_page.stage_table(run, "separation")
    if table is None:
        return
    headline = st.empty()
    ood, index = _controls(run)
    cells = table[table["ood"] == ood]
    chosen = cells.iloc[index]
    view = replace(choose(run), ood=ood, cell=index)
    headline.markdown(f"**{escape(ood)}**: {separation_headline(cells, chosen, where(chosen))}")
    left, right = st.container(key="beside_separation").columns([5, 4], gap="large")
    with left:
        show_figure(
            "separation-predicted",
            run,
            view,
            key="separation_scatter",
            hint="Click a point to choose it.",
            on_select=lambda: open_clicked("separation_scatter"),
        )
    with right:
        _cell_panel(run, view, chosen)
    look = choosing.choose(LOOK, run)
    choosing.remember(run, CELL)
    separation_details.show(run, view, look)
    diagnostic_page.formulas(_FORMULAS, lab="See mean shift, variance and correlation at work")


def where(cell: pd.Series) -> str:
    """A cell as people say it."""
    return f"{escape(short_tap_name(cell['tap']))} ({cell['region']}) at λ = {format_value(cell['lam'], 1)}"


def _controls(run: Run) -> tuple[str, int]:
    """OOD set, level and tap; the two last are the cell."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        ood = choosing.choose(OOD, run)
        choose_level_and_tap(run, "separation")
    return ood, st.session_state["cell"]


def _cell_panel(run: Run, view: Choices, cell: pd.Series) -> None:
    """The chosen cell: what Delta is made of, and its numbers."""
    st.header(where(cell), anchor=False)
    show_figure("separation-parts", run, view, key="separation_parts")
    bound = format_value(cell["bound"]) if pd.notna(cell["bound"]) else "does not apply"
    st.markdown(
        f"**AUROC {format_estimate(cell['auroc'], cell['lo'], cell['hi'])}** measured  \n"
        f"{format_value(cell['predicted'])} predicted · {bound} at least",
        help="Measured with its 95 % interval; predicted as if both scores were normal (13); the least that "
        "any scores with these means and variances could have (12), which needs Δ > 0.",
    )
    st.markdown(_dimension_text(cell), help=_DIMENSION_HELP)


_DIMENSION_HELP = (
    "Effective dimension (11): how many independent features would make a Gaussian score fluctuate as these correlated "
    "ones do. The ratio compares the measured variance of the single-draw ID score with that of Gaussian features: "
    "above 1, heavier tails; below 1, lighter ones."
)


def _dimension_text(cell: pd.Series) -> str:
    if pd.isna(cell["d_eff"]):
        return "Effective dimension: n/a. This exploration has no pair sums (or too few images); measure it again."
    ratio = format_estimate(cell["var_ratio"], cell["var_ratio_lo"], cell["var_ratio_hi"])
    return (
        f"Effective dimension **{format_value(cell['d_eff'], 1)}** of {format_value(cell['d'], 0)} features · ID "
        f"score variance **{ratio}** × the Gaussian"
    )
