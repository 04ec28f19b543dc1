"""The complementarity page: one pair of taps against each other, its numbers, and closer looks."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
import streamlit as st

from cfs_explore.diagnostics.bootstrap import RESAMPLES, standing_decimals
from cfs_explore.figures.choices import OOD, SCALE, Choices, choose, default_pair, tap_order
from cfs_explore.figures.pair import ONE_TAP, SAME_TAP, Pair, pair_numbers, pair_of
from cfs_explore.figures.places import TapControl, level_control, tap_labels
from cfs_explore.headlines.complementarity import complementarity_headline
from cfs_explore.store import Run
from cfs_explore.ui import choosing, complementarity_details, diagnostic_page
from cfs_explore.ui.damage import fragment
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.sidebar import escape
from cfs_explore.wording import format_estimate, format_value, p_text

_FORMULAS = {
    "**Joint separability** (5), from the shift δ of the class means and the mean S of the classes' covariances:": (
        r"D^2=\delta^\top S^{-1}\delta,\qquad D^2_e=\delta_e^2/S_{ee}"
    ),
    "**Gain of the decoder given the encoder** (6):": (
        r"G_{d|e}=D^2-D^2_e=\frac{(\delta_d-\frac{S_{de}}{S_{ee}}\delta_e)^2}{S_{dd}-S_{de}^2/S_{ee}}\ \ge\ 0"
    ),
    "**The plain average** (7) beats the encoder alone if and only if its D² is larger than the encoder's:": (
        r"D^2_{avg}=\frac{(\delta_e+\delta_d)^2}{S_{ee}+S_{dd}+2S_{de}}"
    ),
    "**Covariate-adjusted AUROC** (8), over quantile bins b of the other score:": (
        r"\frac{\sum_b n_{ID,b}\,n_{OOD,b}\,\mathrm{AUROC}_b}{\sum_b n_{ID,b}\,n_{OOD,b}}"
    ),
    "**Information** (9), the drop in cross-validated log-loss (bits) when the score is added:": (
        r"I(Y;s_d\mid s_e)\approx \mathrm{loss}(s_e)-\mathrm{loss}(s_e,s_d)"
    ),
}


LEVEL = level_control("comp_level", 110)


def _tap_control(name: str, title: str, place: int) -> TapControl:
    """The first or the second of the pair, its own side of the bottleneck listed first."""
    return TapControl(
        name,
        title,
        lambda run: tap_labels(tap_order(run.taps, 2 * place - 1)),
        lambda run: default_pair(run)[place],
        "Where inside the backbone the activations are read. The published detector CFS(1x2) averages one encoder and "
        "one decoder tap; any two can be compared here.",
        "select",
        200,
    )


FIRST, SECOND = (
    _tap_control("comp_first", "First tap (encoder)", 0),
    _tap_control("comp_second", "Second tap (decoder)", 1),
)


def show(run: Run) -> None:
    """The whole page for one run."""
    for control in (OOD, complementarity_details.LOOK, complementarity_details.CAUGHT):
        choosing.restore(control, run)
    _page(run)


@fragment
def _page(run: Run) -> None:
    """Everything but the sidebar."""
    st.title("Do encoder and decoder know different things?", anchor=False)
    if len(run.taps) < 2:
        st.info(ONE_TAP, icon=":material/info:")
        return
    headline = st.empty()
    view = _controls(run)
    if view.pair[0] == view.pair[1]:
        st.info(SAME_TAP, icon=":material/info:")
        return
    if not run.manifest.presets:
        st.info(
            "This exploration has no encoder-decoder pair of the published kind. Any two of its taps can be compared.",
            icon=":material/info:",
        )
    pair, rows = pair_of(run, view), pair_numbers(run, view)
    said = complementarity_headline(rows.loc[view.scale], run.levels[view.level].lam, *map(escape, pair.names))
    headline.markdown(f"**{escape(view.ood)}**: {said}")
    left, right = st.container(key="beside_complementarity").columns(2, gap="medium")
    with left:
        show_figure("complementarity-scores", run, view, key="comp_scatter")
    with right:
        _panel(view.scale, pair, rows)
    choosing.choose(complementarity_details.LOOK, run)
    complementarity_details.show(run, view, pair)
    diagnostic_page.formulas(_FORMULAS, lab="Two scores and their correlation, to play with")


def _controls(run: Run) -> Choices:
    """OOD set, level, the two taps and the scale."""
    index = {tap.name: position for position, tap in enumerate(run.taps)}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        ood, level, first, second, scale = choosing.choose_all(run, OOD, LEVEL, FIRST, SECOND, SCALE)
    return replace(choose(run), ood=ood, level=level, pair=(index[first], index[second]), scale=scale)


def _panel(scale: str, pair: Pair, rows: pd.DataFrame) -> None:
    """What each separates alone, together, and given the other."""
    row = rows.loc[scale]
    st.markdown(
        f"## Each alone, and together\n{_alone_table(row, pair, scale)}",
        help="AUROC: chance that a random OOD image scores higher than a random ID image, 95 % interval. "
        "D²: squared distance of the class means in standard deviations (5), bootstrap 95 % interval; larger "
        "separates better. The best linear mix is what no weighted sum of the two scores exceeds.",
    )
    st.markdown(_average_text(row, pair, scale))
    st.markdown(
        f"## Each given the other\n{_given_table(rows, pair)}",
        help="Gain (6): what a score adds to D² when the other is known, never below 0; its interval starts at 0 where "
        "the sign of the shift is uncertain. ↓: OOD images score lower than the other score predicts, which a plain "
        "average cannot use. Adjusted AUROC (8): AUROC among images that the other score finds alike; 0.5 adds "
        "nothing. Bits (9): what the score says about the class beyond the other score, out of 1 bit; noise gives "
        "about 0.",
    )
    st.caption(_compared_text(row, pair))


def _alone_table(row: pd.Series, pair: Pair, scale: str) -> str:
    lines = [f"| Score | AUROC | D² on {scale} |", "|:--|:--|:--|"]
    first, second = (escape(name) for name in pair.short)
    for label, auroc, distance in (
        (first, "auroc_e", "d2_e"),
        (second, "auroc_d", "d2_d"),
        ("Plain average", "auroc_avg", "d2_avg"),
        ("Best linear mix", None, "d2"),
    ):
        lines.append(f"| {label} | {_estimate(row, auroc) if auroc else ''} | {_estimate(row, distance, 2)} |")
    return "\n".join(lines)


def _average_text(row: pd.Series, pair: Pair, scale: str) -> str:
    """The paired comparison, and what the average makes of D2 (7)."""
    better = escape(pair.short[1 if row["better"] == "decoder" else 0])
    sign = "+" if row["auroc_gain"] > 0 else ""
    test = "n/a: too few images"
    if math.isfinite(row["auroc_gain"]):
        p = p_text(row["auroc_gain_p"]).replace(" ", "\u00a0")
        test = f"**{sign}{_estimate(row, 'auroc_gain')}** ({p}, paired)"
    beats = {True: "yes", False: "no"}.get(row["avg_beats_e"] if pd.notna(row["avg_beats_e"]) else None, "n/a")
    return (
        f"AUROC of the average − {better} alone: {test}  \n"
        f"The average realises **{_estimate(row, 'realised')}** of the joint D² on {scale}; it has a larger D² than "
        f"{escape(pair.short[0])} alone: **{beats}**"
    )


def _given_table(rows: pd.DataFrame, pair: Pair) -> str:
    first, second = (escape(name) for name in pair.short)
    lines = [f"| Measure | {second} given {first} | {first} given {second} |", "|:--|:--|:--|"]
    for scale in ("s", "ln s"):
        cells = [_gain(rows.loc[scale], side) for side in ("d", "e")]
        lines.append(f"| Gain on {scale} | {' | '.join(cells)} |".replace("Gain on ", "Gain\u00a0on\u00a0"))
    row = rows.iloc[0]
    for label, name in (("Adjusted\u00a0AUROC", "adjusted"), ("Bits", "bits")):
        lines.append(f"| {label} | {_estimate(row, f'{name}_d')} | {_estimate(row, f'{name}_e')} |")
    return "\n".join(lines)


def _gain(row: pd.Series, side: str) -> str:
    lower = "\u00a0↓" if row[f"shift_{side}_hi"] < 0 else ""
    return _estimate(row, f"gain_{side}", 2) + lower


def _compared_text(row: pd.Series, pair: Pair) -> str:
    """What the adjusted AUROCs rest on, and what is left to know."""
    first, second = pair.short
    if min(row["adjusted_d_n_ood"], row["adjusted_e_n_ood"]) == 0:
        return (
            f"n = {row['n_id']:,} ID, {row['n_ood']:,} OOD. n/a: by the other score, no OOD image is like an ID image."
        )
    return (
        f"n = {row['n_id']:,} ID, {row['n_ood']:,} OOD. Adjusted AUROCs compare {row['adjusted_d_n_id']:,} ID and "
        f"{row['adjusted_d_n_ood']:,} OOD images that {first} finds alike, and {row['adjusted_e_n_id']:,} and "
        f"{row['adjusted_e_n_ood']:,} that {second} does. {first} alone leaves {format_value(row['loss_e'], 2)} bits "
        f"open, {second} {format_value(row['loss_d'], 2)}. 95 % intervals: of AUROCs by (27), normal for bits, else "
        f"bootstrap ({RESAMPLES:,} resamples)."
    )


def _estimate(row: pd.Series, name: str, decimals: int = 3) -> str:
    """'0.873 [0.861, 0.884]' in one line; distances with fewer decimals, since they are not confined to 0..1."""
    value, lo, hi = (row[f"{name}{end}"] for end in ("", "_lo", "_hi"))
    text = format_estimate(value, lo, hi)
    if decimals != 3:
        decimals = standing_decimals(lo, hi, decimals)
        value, lo, hi = (format_value(number, decimals) for number in (value, lo, hi))
        text = value if lo == "n/a" else f"{value} [{lo}, {hi}]"
    return text.replace(" ", "\u00a0")
