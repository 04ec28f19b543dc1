"""The lab's second experiment: an encoder and a decoder score, and when their plain average hurts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
import pandas as pd
import streamlit as st

from cfs_explore.diagnostics import (
    SimulatedPair,
    joint_separability,
    pair_curve,
    pair_detectors,
    paired_auroc_difference,
    sample_pair,
)
from cfs_explore.figures import format_estimate, lab_dots_figure, pair_curve_figure, pair_scatter_figure
from cfs_explore.figures.lab_marks import COMBINATIONS
from cfs_explore.figures.theme import format_value
from cfs_explore.headlines.lab import two_taps_headline
from cfs_explore.ui import lab_settings, state
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.lab_settings import IMAGES, Preset, Setting, steps

ALONG = "lab_across"
#: Images of each kind that the scatter shows; more would hide each other.
_POINTS = 300
_RESAMPLES = 400
SLIDERS = (
    Setting(
        "shift_e",
        "lab_shift_e",
        "Encoder shift",
        steps(0, 3, 0.1),
        1.2,
        "How much higher the encoder tap scores OOD images on average.",
    ),
    Setting(
        "shift_d",
        "lab_shift_d",
        "Decoder shift",
        steps(0, 3, 0.1),
        1.2,
        "How much higher the decoder tap scores OOD images on average.",
    ),
    Setting(
        "sd_e",
        "lab_sd_e",
        "Encoder spread",
        steps(0.2, 3, 0.1),
        1.0,
        "Standard deviation of the encoder score over ID images.",
    ),
    Setting(
        "sd_d",
        "lab_sd_d",
        "Decoder spread",
        steps(0.2, 3, 0.1),
        1.0,
        "Standard deviation of the decoder score over ID images.",
    ),
    Setting(
        "correlation",
        "lab_r",
        "Correlation r",
        steps(-0.9, 0.9, 0.1),
        0.3,
        "Within a class: do images that the encoder scores high for no good reason get a high decoder score too?",
        write=lambda value: format_value(value, 1),
    ),
)
SPREAD = Setting(
    "variance_ratio",
    "lab_spread",
    "Variance, OOD / ID",
    steps(0.5, 3, 0.5),
    1.0,
    "How much more (above 1) or less both scores vary among OOD images.",
    write=lambda value: f"× {value:g}",
)
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
_ALL = (*SLIDERS, SPREAD)


def show() -> None:
    """Controls, headline, and each formula beside its picture."""
    lab_settings.restore(_ALL, ALONG, "correlation")
    headline = st.empty()
    lab_settings.presets(PRESETS, _ALL, ALONG)
    lab_settings.sliders(SLIDERS, ALONG, (SPREAD,))
    lab_settings.remember(_ALL, ALONG)
    pair = SimulatedPair(**lab_settings.values_of(_ALL))
    seed, along = st.session_state["lab_seed"], next(s for s in _ALL if s.name == st.session_state[ALONG])
    scores = sample_pair(pair, IMAGES, seed)
    detectors, curve = pair_detectors(pair, *scores), pair_curve(pair, along.name, along.options)
    exact = curve[curve[along.name] == getattr(pair, along.name)].iloc[0].to_dict()
    headline.markdown(_headline(exact, detectors, scores))
    _clouds(pair, scores, exact, seed)
    _combinations(detectors, exact, seed)
    _curve(pair, curve, along)


def _headline(exact: Mapping, detectors: pd.DataFrame, scores: tuple[np.ndarray, np.ndarray]) -> str:
    (id_e, id_d), (ood_e, ood_d) = (each.T for each in scores)
    name = "encoder" if exact["auroc_encoder"] >= exact["auroc_decoder"] else "decoder"
    alone = (id_e, ood_e) if name == "encoder" else (id_d, ood_d)
    value, lo, hi, _ = paired_auroc_difference((id_e + id_d) / 2, (ood_e + ood_d) / 2, *alone)
    measured = {row["combination"]: row for row in detectors.to_dict("records")}
    told = {**exact, "alone": exact[f"auroc_{name}"]}
    return two_taps_headline(told, measured, {"name": name, "value": value, "lo": lo, "hi": hi})


def _clouds(pair: SimulatedPair, scores: tuple[np.ndarray, np.ndarray], exact: Mapping, seed: int) -> None:
    images = pd.concat(
        [
            pd.DataFrame({"kind": kind, "encoder": own[:_POINTS, 0], "decoder": own[:_POINTS, 1]})
            for kind, own in zip(("id", "ood"), scores, strict=True)
        ]
    )
    clouds = {
        "id": (np.zeros(2), pair.id_covariance),
        "ood": (pair.delta, pair.variance_ratio * pair.id_covariance),
    }
    weights = dict(zip(COMBINATIONS, pair.weights, strict=True))
    left, right = st.container(key="beside_lab_clouds").columns([5, 4], gap="large")
    with left:
        st.subheader("Two scores of each image", anchor=False)
        show_figure(
            pair_scatter_figure(
                images, clouds, {name: weights[name] for name in ("average", "best")}, state.figure_theme()
            ),
            key="lab_clouds",
            rows=images,
            caption=f"{_POINTS} of {IMAGES:,} simulated images of each kind, seed {seed}; ellipses at 2 standard "
            "deviations; arrow: δ. Cuts: where the plain average and the best weighting part the classes.",
            alt="Decoder score against encoder score of simulated ID and OOD images, with the cuts of the plain "
            "average and of the best weighting.",
            file_name="lab-two-scores",
        )
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
        _link("See D², its parts and the gain in the data")


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
    lines = [f"| | exact | in the sample, n = {IMAGES:,} + {IMAGES:,} |", "|---|---|---|"]
    for key, name in names.items():
        estimate = format_estimate(measured[key], measured[f"{key}_lo"], measured[f"{key}_hi"])
        lines.append(f"| {name} | {format_value(exact[key])} | {estimate} |")
    return "\n".join(lines)


def _combinations(detectors: pd.DataFrame, exact: Mapping, seed: int) -> None:
    """AUROC of each way to make one score of two, exact and measured."""
    rows = []
    for row in detectors.to_dict("records"):
        name = COMBINATIONS[row["combination"]][0]
        if row["combination"] == "best":
            name += f" ({format_value(row['weight_e'], 2)} e + {format_value(row['weight_d'], 2)} d)".replace(
                "+ −", "− "
            )
        known = {"name": name, "series": row["combination"], "lo": float("nan"), "hi": float("nan")}
        rows.append({**known, "kind": "exact", "auroc": row["exact"]})
        rows.append({**known, "kind": "measured", **{key: row[key] for key in ("auroc", "lo", "hi")}})
    marks = pd.DataFrame(rows)
    left, right = st.container(key="beside_lab_pair_dots").columns([5, 4], gap="large")
    with left:
        st.subheader("One score of two", anchor=False)
        show_figure(
            lab_dots_figure(marks, state.figure_theme()),
            key="lab_pair_dots",
            rows=marks.assign(n_id=IMAGES, n_ood=IMAGES),
            caption="Open diamonds: exact for these normal scores (13). Dots: measured, DeLong 95 % CI, "
            f"n = {IMAGES:,} ID, {IMAGES:,} OOD; seed {seed}.",
            alt="; ".join(
                f"{row['name']}: AUROC {format_value(row['auroc'])}" for row in rows if row["kind"] == "measured"
            ),
            file_name="lab-combinations",
        )
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
        _link("See what averaging realises in the data")


def _curve(pair: SimulatedPair, curve: pd.DataFrame, along: Setting) -> None:
    st.subheader(f"AUROC along the slider in hand: {along.label}", anchor=False)
    now = getattr(pair, along.name)
    show_figure(
        pair_curve_figure(curve, along.name, now, along.label, state.figure_theme()),
        key="lab_pair_curve",
        rows=curve,
        caption=f"Vertical line: the slider ({along.write(now)}). Exact for normal scores. Shaded: the plain average "
        "is worse than the better tap alone; "
        f"{lab_settings.told(_ALL, asdict(pair), along.name)}. Move another slider to see its curve.",
        alt=f"AUROC of encoder, decoder, plain average and best weighting while {along.label} moves; "
        f"now {along.write(now)}.",
        file_name=f"lab-combinations-{along.name}",
    )


def _link(label: str) -> None:
    st.page_link("pages/complementarity.py", label=label, icon=":material/query_stats:")
