"""The lab's first experiment: one tap of Gaussian features, its score, and what follows from means and variances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import pandas as pd
import streamlit as st

from cfs_explore.diagnostics import (
    SimulatedTap,
    TapSample,
    auroc,
    histogram,
    sample_tap,
    tap_curve,
    tap_moments,
    tap_summary,
)
from cfs_explore.figures import (
    delta_histogram_figure,
    format_estimate,
    histogram_caption,
    lab_dots_figure,
    tap_curve_figure,
)
from cfs_explore.figures.theme import format_value
from cfs_explore.headlines.lab import one_tap_headline
from cfs_explore.ui import lab_settings, state
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.lab_settings import IMAGES, Preset, Setting, steps

ALONG = "lab_along"
SLIDERS = (
    Setting(
        "channels",
        "lab_d",
        "Features d",
        [1, 2, 4, 8, 16, 32, 64, 128, 256],
        64,
        "How many numbers a tap gives per image; the score is the mean of their squared z-scores.",
    ),
    Setting(
        "correlation",
        "lab_rho",
        "Correlation ρ",
        steps(0, 0.95, 0.05),
        0.1,
        "0: every feature fluctuates by itself. Near 1: all say the same.",
    ),
    Setting(
        "shift",
        "lab_shift",
        "Mean shift",
        steps(0, 3, 0.1),
        0.5,
        "By how many ID standard deviations the mean of each shifted feature moves.",
        write=lambda value: f"{value:g} SD",
    ),
    Setting(
        "share",
        "lab_share",
        "Features shifted",
        [0.02, 0.05, *steps(0.1, 1, 0.1)],
        1.0,
        "Share of the features that are shifted at all (at least one is).",
        write=lambda value: f"{100 * value:g} %",
    ),
    Setting(
        "variance_ratio",
        "lab_ratio",
        "Variance, OOD / ID",
        steps(0.5, 2, 0.1),
        1.0,
        "How much more (above 1) or less each feature varies among OOD images.",
        write=lambda value: f"× {value:g}",
    ),
)
PATTERN = Setting(
    "pattern",
    "lab_pattern",
    "Correlated are",
    ["equal", "neighbours"],
    "equal",
    "All pairs of features alike, or neighbouring features most: ρ to the power of their distance.",
    write={"equal": "all pairs", "neighbours": "neighbours"}.get,
    curve=False,
)
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
_ALL = (*SLIDERS, PATTERN)


def show() -> None:
    """Controls, headline, and each formula beside its picture."""
    lab_settings.restore(_ALL, ALONG, "shift")
    headline = st.empty()
    lab_settings.presets(PRESETS, _ALL, ALONG)
    lab_settings.sliders(SLIDERS, ALONG, (PATTERN,))
    lab_settings.remember(_ALL, ALONG)
    tap = SimulatedTap(**lab_settings.values_of(_ALL))
    seed, along = st.session_state["lab_seed"], next(s for s in SLIDERS if s.name == st.session_state[ALONG])
    sample = sample_tap(tap, IMAGES, seed)
    summary, curve = tap_summary(tap, sample), tap_curve(tap, along.name, along.options, IMAGES, seed)
    point = curve[curve[along.name] == getattr(tap, along.name)].iloc[0].to_dict()
    headline.markdown(one_tap_headline(tap_moments(tap)._asdict(), point))
    told = {"seed": seed}
    _distributions(sample, summary, told)
    _dots(tap, sample, point, told)
    _curve(tap, curve, along, told)


def _distributions(sample: TapSample, summary: pd.DataFrame, told: Mapping) -> None:
    left, right = st.container(key="beside_lab_scores").columns([5, 4], gap="large")
    id_scores, ood_scores = sample.scores
    with left:
        st.subheader("Two distributions, and Δ between their means", anchor=False)
        bins = histogram(id_scores, ood_scores, bins=40)
        show_figure(
            delta_histogram_figure(bins, float(id_scores.mean()), float(ood_scores.mean()), state.figure_theme()),
            key="lab_scores",
            rows=bins,
            caption=histogram_caption(IMAGES, IMAGES, told)[:-1] + "; vertical: means. Simulated images.",
            alt=f"Histograms of the scores of {IMAGES} ID and {IMAGES} OOD images, with mean {id_scores.mean():.3f} "
            f"and {ood_scores.mean():.3f}.",
            file_name="lab-scores",
        )
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
        _link("pages/separation.py", "See Δ, its parts and effective dimensions in the data")


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
    lines = [f"| | exact | in the sample, n = {IMAGES:,} + {IMAGES:,} |", "|---|---|---|"]
    for row in summary.to_dict("records"):
        measured = format_estimate(row["measured"], row["lo"], row["hi"])
        if row["quantity"] == "effective_dimension":
            measured = f"{row['measured']:.1f} [{row['lo']:.1f}, {row['hi']:.1f}]"
            exact = f"{row['exact']:.1f}"
        else:
            exact = format_value(row["exact"])
        lines.append(f"| {names[row['quantity']]} | {exact} | {measured} |")
    return "\n".join(lines)


def _dots(tap: SimulatedTap, sample: TapSample, point: Mapping, told: Mapping) -> None:
    """Bound, prediction and measurement on one axis."""
    nan = float("nan")
    rows = [
        {"name": "At least (12)", "kind": "bound", "auroc": point["bound"], "lo": nan, "hi": nan},
        {"name": "Predicted (13)", "kind": "prediction", "auroc": point["prediction"], "lo": nan, "hi": nan},
        {"name": "Measured", "kind": "measured", **{key: point[key] for key in ("auroc", "lo", "hi")}},
    ]
    if tap.shift and tap.shifted < tap.channels:
        alone = auroc(*sample.subset(tap.shifted).scores)
        name = "Measured, the shifted features alone"
        rows.append({"name": name, "kind": "measured", "auroc": alone.value, "lo": alone.lo, "hi": alone.hi})
    marks = pd.DataFrame(rows).assign(series="")
    left, right = st.container(key="beside_lab_dots").columns([5, 4], gap="large")
    with left:
        st.subheader("What AUROC must be, should be, and is", anchor=False)
        show_figure(
            lab_dots_figure(marks, state.figure_theme()),
            key="lab_dots",
            rows=marks.drop(columns="series").assign(n_id=IMAGES, n_ood=IMAGES),
            caption=f"Bound and prediction from the exact moments; measured with DeLong 95 % CI, n = {IMAGES:,} ID, "
            f"{IMAGES:,} OOD; seed {told['seed']}.",
            alt="; ".join(f"{row['name']}: AUROC {format_value(row['auroc'])}" for row in rows),
            file_name="lab-auroc",
        )
    with right:
        st.markdown("**Bound** (12): true for any two distributions with Δ > 0 (Cantelli).")
        st.latex(r"\mathrm{AUROC}\ \ge\ \frac{\Delta^2}{\Delta^2+\mathrm{Var}_{ID}[s]+\mathrm{Var}_{OOD}[s]}")
        st.markdown("**Prediction** (13): true if both scores are normal.")
        st.latex(
            r"\mathrm{AUROC}\approx\Phi\!\left(\frac{\Delta}{\sqrt{\mathrm{Var}_{ID}[s]+\mathrm{Var}_{OOD}[s]}}\right)"
        )
        if tap_moments(tap).delta <= 0:
            st.caption("Δ is not positive here: the bound says nothing.")
        _link("pages/separation.py", "See bound and prediction against every cell")


def _curve(tap: SimulatedTap, curve: pd.DataFrame, along: Setting, told: Mapping) -> None:
    st.subheader(f"AUROC along the slider in hand: {along.label}", anchor=False)
    now = getattr(tap, along.name)
    show_figure(
        tap_curve_figure(curve, along.name, now, along.label, state.figure_theme()),
        key="lab_curve",
        rows=curve,
        caption=f"Vertical line: the slider ({along.write(now)}). Measured with DeLong 95 % CI, n = {IMAGES:,} ID, "
        f"{IMAGES:,} OOD, the same random numbers at every point, seed {told['seed']}; "
        f"{lab_settings.told(_ALL, asdict(tap), along.name)}. Move another slider to see its curve.",
        alt=f"AUROC, its prediction and its bound while {along.label} moves; now {along.write(now)}.",
        file_name=f"lab-auroc-{along.name}",
    )
    _link("pages/prediction.py", "See whether such predictions choose a good cell")


def _link(page: str, label: str) -> None:
    st.page_link(page, label=label, icon=":material/query_stats:")
