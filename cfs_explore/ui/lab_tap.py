"""The lab's first experiment: one tap of Gaussian features, its score, and what follows from means and variances."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from cfs_explore.diagnostics import tap_moments, tap_summary
from cfs_explore.figures import lab as figures
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.lab_settings import PATTERN, TAP_CURVE, TAP_SETTINGS, TAP_SLIDERS
from cfs_explore.headlines.lab import one_tap_headline
from cfs_explore.ui import lab_settings
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.lab_settings import Preset
from cfs_explore.wording import format_estimate, format_value

PRESETS = (
    Preset(
        "Only the variance changes",
        {"shift": 0.0, "variance_ratio": 1.3, "correlation": 0.0},
        "variance_ratio",
        "No mean moves, and still the OOD images score higher: the second part of (10). Let the variance fall below "
        "that of ID: the OOD images then score *lower*, and AUROC falls below one half.",
    ),
    Preset(
        "Few channels carry the signal",
        {"channels": 256, "shift": 2.0, "share": 0.02, "correlation": 0.0},
        "share",
        "Five of 256 features are shifted by 2 standard deviations. They alone would separate well (last dot), but the "
        "score averages them with 251 that only add noise.",
    ),
    Preset(
        "Few effective dimensions",
        {"channels": 256, "correlation": 0.6, "shift": 0.5},
        "correlation",
        "256 features, but they move together: the score fluctuates like that of fewer than three independent ones. "
        "Δ does not depend on ρ; the AUROC does, through the variance (11).",
    ),
    Preset(
        "The prediction misses",
        {"channels": 2, "correlation": 0.0, "shift": 2.0},
        "channels",
        "Two features only: the mean of two squares is far from normal, so (13) is off; the bound (12) holds for any "
        "distribution. Add features: the scores become normal and the prediction right.",
    ),
)


def show() -> None:
    """Controls, headline, and each formula beside its picture."""
    headline = st.empty()
    view = lab_settings.choose(PRESETS, TAP_SLIDERS, PATTERN, TAP_CURVE)
    tap, sample, point = figures.drawn_tap(view)
    moments = tap_moments(tap)
    headline.markdown(one_tap_headline(moments._asdict(), point))
    _distributions(view, tap_summary(tap, sample))
    _dots(view, moments.delta)
    lab_settings.show_curve("lab-curve", "lab_curve", figures.in_hand(TAP_CURVE, TAP_SETTINGS, view), view)
    lab_settings.link("prediction", "See whether such predictions choose a good cell")


def _distributions(view: Choices, summary: pd.DataFrame) -> None:
    left, right = st.container(key="beside_lab_scores").columns([5, 4], gap="large")
    with left:
        st.header("Two distributions, and Δ between their means", anchor=False)
        show_figure("lab-scores", None, view, key="lab_scores")
        st.markdown(_table(summary), help="Exact: from the settings. In the sample: with 95 % interval over images.")
    with right:
        st.markdown("The **score** of an image is the mean of its squared z-scores (3):")
        st.latex(r"s = \frac1d\sum_j \frac{(z_j-\mu_j)^2}{v_j}")
        st.markdown("The two means differ by a **mean shift** and a **variance change** (10):")
        st.latex(
            r"\begin{aligned}\Delta =\ &\frac1d\sum_j \frac{(m_j-\mu_j)^2-(m^0_j-\mu_j)^2}{v_j}\\"
            r"+\ &\frac1d\sum_j\frac{w_j-w^0_j}{v_j}\end{aligned}"
        )
        st.markdown("Correlated features count as fewer ($d_{\\mathrm{eff}}$), and the score fluctuates more (11):")
        st.latex(r"\mathrm{Var}_{ID}[s]=\frac{2\lVert R\rVert_F^2}{d^2}=\frac{2}{d_{\mathrm{eff}}}")
        lab_settings.link("separation", "See Δ, its parts and effective dimensions in the data")


def _table(summary: pd.DataFrame) -> str:
    """Exact beside measured, as a Markdown table."""
    names = {
        "delta": "Δ",
        "mean_shift": "mean shift",
        "variance_change": "variance change",
        "var_id": "Var ID",
        "var_ood": "Var OOD",
        "effective_dimension": r"$d_{\mathrm{eff}}$",
    }
    rows = []
    for row in summary.to_dict("records"):
        exact, measured = format_value(row["exact"]), format_estimate(row["measured"], row["lo"], row["hi"])
        if row["quantity"] == "effective_dimension":
            exact, value, lo, hi = (format_value(row[key], 1) for key in ("exact", "measured", "lo", "hi"))
            measured = f"{value} [{lo}, {hi}]"
        rows.append((names[row["quantity"]], exact, measured))
    return lab_settings.comparison(rows)


def _dots(view: Choices, delta: float) -> None:
    """Bound, prediction and measurement on one axis."""
    left, right = st.container(key="beside_lab_dots").columns([5, 4], gap="large")
    with left:
        st.header("What AUROC must be, should be, and is", anchor=False)
        show_figure("lab-auroc", None, view, key="lab_dots")
    with right:
        st.markdown("**Bound** (12): true for any two distributions with Δ > 0 (Cantelli).")
        st.latex(r"\mathrm{AUROC}\ \ge\ \frac{\Delta^2}{\Delta^2+\mathrm{Var}_{ID}[s]+\mathrm{Var}_{OOD}[s]}")
        st.markdown("**Prediction** (13): true if both scores are normal.")
        st.latex(
            r"\mathrm{AUROC}\approx\Phi\!\left(\frac{\Delta}{\sqrt{\mathrm{Var}_{ID}[s]+\mathrm{Var}_{OOD}[s]}}\right)"
        )
        if delta <= 0:
            st.caption("Δ is not positive here: the bound says nothing.")
        lab_settings.link("separation", "See bound and prediction against every cell")
