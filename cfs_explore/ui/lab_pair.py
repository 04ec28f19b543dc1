"""The lab's second experiment: an encoder and a decoder score, and when their plain average hurts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import streamlit as st

from cfs_explore.diagnostics import joint_separability, pair_curve, pair_detectors, paired_auroc_difference
from cfs_explore.diagnostics.bootstrap import standing_decimals
from cfs_explore.figures import lab as figures
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.lab_settings import PAIR_ALONG, PAIR_CURVE, PAIR_SETTINGS, PAIR_SLIDERS, SPREAD
from cfs_explore.headlines.lab import two_taps_headline
from cfs_explore.ui import lab_settings
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.lab_settings import Preset
from cfs_explore.wording import format_value

_RESAMPLES = 400
PRESETS = (
    Preset(
        "Averaging helps",
        {"correlation": 0.0},
        "correlation",
        "Two equally good taps with fluctuations of their own: averaging cancels noise. Raise r: the more they share, "
        "the less there is to cancel.",
    ),
    Preset(
        "Averaging hurts",
        {"shift_d": 0.3, "correlation": 0.4},
        "shift_d",
        "The decoder is weak, and the plain average gives it the same weight. Raise its shift until the line of the "
        "average crosses that of the encoder alone: there averaging begins to pay (7).",
    ),
    Preset(
        "A loud tap drowns a good one",
        {"sd_d": 2.5, "shift_d": 1.2, "correlation": 0.0},
        "sd_d",
        "Both taps shift by the same amount, but the decoder fluctuates 2.5 times as much: in the plain average its "
        "noise counts in full. The best weighting turns it down.",
    ),
    Preset(
        "A silent tap helps",
        {"shift_d": 0.0, "correlation": 0.8},
        "correlation",
        "The decoder alone is at chance, yet it knows the encoder's noise: subtracting it (a negative weight) beats "
        "the encoder alone. The gain (6) is how far the decoder's shift is from what r leads to expect.",
    ),
)


def show() -> None:
    """Controls, headline, and each formula beside its picture."""
    headline = st.empty()
    view = lab_settings.choose(PRESETS, PAIR_SLIDERS, SPREAD, PAIR_CURVE)
    pair, scores = figures.drawn_pair(view)
    exact = pair_curve(pair, PAIR_ALONG, [getattr(pair, PAIR_ALONG)]).iloc[0].to_dict()
    headline.markdown(_headline(exact, pair_detectors(pair, *scores), scores))
    _clouds(view, scores, exact)
    _combinations(view, exact)
    along = figures.in_hand(PAIR_CURVE, PAIR_SETTINGS, view)
    lab_settings.show_curve("lab-two-curve", "lab_pair_curve", along, view)


def _headline(exact: Mapping, detectors: pd.DataFrame, scores: tuple[np.ndarray, np.ndarray]) -> str:
    (id_e, id_d), (ood_e, ood_d) = (each.T for each in scores)
    name = "encoder" if exact["auroc_encoder"] >= exact["auroc_decoder"] else "decoder"
    alone = (id_e, ood_e) if name == "encoder" else (id_d, ood_d)
    value, lo, hi, _ = paired_auroc_difference((id_e + id_d) / 2, (ood_e + ood_d) / 2, *alone)
    measured = {row["combination"]: row for row in detectors.to_dict("records")}
    settings = {**exact, "alone": exact[f"auroc_{name}"]}
    return two_taps_headline(settings, measured, {"name": name, "value": value, "lo": lo, "hi": hi})


def _clouds(view: Choices, scores: tuple[np.ndarray, np.ndarray], exact: Mapping) -> None:
    left, right = st.container(key="beside_lab_clouds").columns([5, 4], gap="large")
    with left:
        st.header("Two scores of each image", anchor=False)
        show_figure("lab-two-scores", None, view, key="lab_clouds")
        st.markdown(
            _table(scores, exact), help="Exact: from the settings. In the sample: with bootstrap 95 % interval."
        )
    with right:
        st.markdown("**Separability** of both scores together, and of the encoder alone (5):")
        st.latex(r"D^2=\delta^\top S^{-1}\delta,\qquad D_e^2=\delta_e^2/S_{ee}")
        st.markdown("**Gain** of the decoder given the encoder (6):")
        st.latex(
            r"G_{d|e}=\frac{\left(\delta_d-\frac{S_{de}}{S_{ee}}\delta_e\right)^2}{S_{dd}-S_{de}^2/S_{ee}}=D^2-D_e^2"
        )
        lab_settings.link("complementarity", "See D², its parts and the gain in the data")


def _table(scores: tuple[np.ndarray, np.ndarray], exact: Mapping) -> str:
    """Exact beside measured, as a Markdown table."""
    (id_e, id_d), (ood_e, ood_d) = (each.T[:, None] for each in scores)
    measured = joint_separability(id_e, id_d, ood_e, ood_d, resamples=_RESAMPLES).iloc[0]
    names = {
        "d2": "D², together",
        "d2_e": "D², encoder alone",
        "d2_d": "D², decoder alone",
        "gain_d": "gain of the decoder",
        "d2_avg": "D², plain average",
    }
    rows = []
    for key, name in names.items():
        value, lo, hi = (measured[f"{key}{end}"] for end in ("", "_lo", "_hi"))
        decimals = standing_decimals(lo, hi, 3, _RESAMPLES)
        value, lo, hi = (format_value(number, decimals) for number in (value, lo, hi))
        rows.append((name, format_value(exact[key]), f"{value} [{lo}, {hi}]"))
    return lab_settings.comparison(rows)


def _combinations(view: Choices, exact: Mapping) -> None:
    """AUROC of each way to make one score of two, exact and measured."""
    left, right = st.container(key="beside_lab_pair_dots").columns([5, 4], gap="large")
    with left:
        st.header("One score of two", anchor=False)
        show_figure("lab-combinations", None, view, key="lab_pair_dots")
    with right:
        st.markdown("The **plain average**, which CFS uses, has (7):")
        st.latex(r"D_{avg}^2=\frac{(\delta_e+\delta_d)^2}{S_{ee}+S_{dd}+2S_{de}}")
        st.markdown("It beats the encoder alone exactly when")
        st.latex(r"D_{avg}^2 > D_e^2")
        sign = ">" if exact["d2_avg"] > exact["d2_e"] else "≤"
        st.markdown(
            f"Here D²avg = {format_value(exact['d2_avg'])} {sign} D²ₑ = {format_value(exact['d2_e'])}. The best "
            "weighting, w = S⁻¹δ, always has all of D²; but it must be learned from OOD images, the average need not."
        )
        lab_settings.link("complementarity", "See what averaging realises in the data")
