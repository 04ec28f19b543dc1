"""The triage page: a threshold by its false-alarm rate, the images above it, and every image's p-value as a file."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
import streamlit as st

from cfs_explore.figures.choices import OOD, choose
from cfs_explore.figures.detector import PRESETS, justified
from cfs_explore.figures.triage import KEEPS, RATE, RULES, Found, find
from cfs_explore.headlines.triage import Flagged, alarms_text, triage_headline, why_detector
from cfs_explore.store import Run
from cfs_explore.ui import choosing, data, detector_choice, diagnostic_page, triage_export, triage_images
from cfs_explore.ui.damage import fragment
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.sidebar import escape
from cfs_explore.wording import counted, format_digits, format_value, percent

_RATE_HELP = {
    "alarm": "The share of ID images that would be flagged, on average. The threshold comes from the ID-test scores "
    "alone, so the rate holds for new images like ID-test, whatever their distribution. It does not hold for other ID "
    "images (another camera, another codec), nor if ID-test was used before to choose the detector or to tune the "
    "threshold by hand: then hold other ID images out and measure again. The smallest p-value is 1 / (n + 1) for n "
    "ID-test images (or groups of them, where some belong together).",
    "discovery": "Of the images that are flagged, the share that is ID after all, on average (Benjamini and Hochberg). "
    "The threshold then depends on this set: where many images stand out, it falls.",
}
_INDEPENDENT = ", which counts images that belong together as fewer independent ones"
_REALISED_HELP = {
    "alarm": "ID-test set the threshold, so the rate itself is no test; the interval still holds the true rate of this "
    "threshold on images like ID-test.",
    "discovery": "The threshold depends on the set at hand, so take the interval as a guide only.",
}
#: What chose the cells -> why ID-test is not fresh any more.
_CHOSEN = {
    "cell": "This cell was chosen by its AUROC on these very images, ID-test among them",
    "visitor": "You chose this detector. If its AUROC on these images guided you, ID-test has been used already",
}
_FORMULAS = {
    "**p-value** of an image with score s: how many of the n ID-test images score as high. For an ID image that is "
    "exchangeable with them, P(p ≤ α) ≤ α (Vovk et al. 2005; Bates et al. 2023):": r"p = \frac{1+\#\{i:\ s_i\ge s\}}"
    r"{n+1}",
    "**Threshold** for the rate α: images with p ≤ α are flagged, those that score above the k-th largest ID-test "
    "score; the expected rate is k / (n + 1). Without ties, the true rate of this threshold follows": r"\mathrm"
    r"{Beta}(k,\ n+1-k),\qquad k=\lfloor\alpha\,(n+1)\rfloor",
    "so that the number flagged among m ID images is beta-binomial; its middle 95 % stand in brackets. **False "
    "discovery rate** q: the images with the j smallest of the m p-values are flagged, for the largest j "
    "with": r"p_{(j)}\ \le\ \frac{j}{m}\,q",
}


def show(run: Run) -> None:
    """The whole page for one run."""
    detector_choice.restore(run)
    triage_images.restore()
    _page(run)


@fragment
def _page(run: Run) -> None:
    """Everything but the sidebar."""
    st.title("Which images stand out?", anchor=False)
    headline, why = st.empty(), st.empty()
    ood, rate, by = _controls(run)
    detector_choice.remember(run)
    choosing.remember(run, RATE, KEEPS)
    cells, measured = detector_choice.cell_indices(run, ood), detector_choice.measured(run)
    if not cells and not measured:
        st.info("Choose at least one cell to compose a detector.", icon=":material/info:")
        return
    view = replace(
        choose(run),
        ood=ood,
        cells=tuple(cells),
        cells_given=True,
        measured=measured,
        options={RATE.name: RATE.write(rate), KEEPS.name: by},
    )
    found = find(run, view)
    headline.markdown(triage_headline(_numbers(found), by))
    chosen_by = "visitor"
    if st.session_state[detector_choice.KEY] == detector_choice.AUTO:
        opened = justified(run, ood)
        chosen_by = opened.kind
        why.caption(why_detector(opened.kind, opened.pair, opened.cell))
    left, right = st.container(key="beside_triage").columns([5, 4], gap="large")
    with left:
        show_figure("triage-scores", run, view, key="triage_histogram")
        _facts(found, chosen_by)
    with right:
        triage_images.show_flagged(run, ood, found, (found.detector, found.rate, by), cells)
    triage_images.show_table(run, ood, export_table(run, found))
    triage_export.show(run, found, cells)
    diagnostic_page.formulas(_FORMULAS)


def _controls(run: Run) -> tuple[str, float, str]:
    """OOD set, rate and what the threshold keeps; the detector is its own module's."""
    by = choosing.restore(KEEPS)
    choosing.restore(RATE)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        ood = choosing.choose(OOD, run)
        detector_choice.control(run, ood)
        rate = choosing.draw(replace(RATE, title=f"{RULES[by]}, expected", help=_RATE_HELP[by]))
        with st.popover("More", icon=":material/tune:"):
            captions = ["of all ID images, the share flagged", "of the flagged images, the share that is ID"]
            choosing.draw(KEEPS, captions=captions)
    detector_choice.cells_control(run)
    return ood, rate, by


def _numbers(found: Found) -> Flagged:
    """What the headline rests on."""
    return Flagged(
        escape(found.ood),
        escape(found.detector),
        int(found.table["flagged"].sum()),
        len(found.table),
        found.rate,
        found.rule.threshold,
        _reference(found),
        found.rule.groups,
        *found.expected,
    )


def export_table(run: Run, found: Found) -> pd.DataFrame:
    """Every image, the highest score first: image_id, name, label, score, percentile, p_value, flagged, detector,
    threshold, n_id."""
    facts = data.images(run, "ood", found.ood)[["image_id", "name", "label"]].iloc[found.rows].reset_index(drop=True)
    table = pd.concat([facts, found.table], axis=1)
    table = table.assign(
        detector=detector_choice.full_name(run, found.ood), threshold=found.rule.threshold, n_id=found.rule.n_id
    )
    return table.sort_values("score", ascending=False, kind="stable").reset_index(drop=True)


def _facts(found: Found, chosen_by: str) -> None:
    """The threshold and what it does, each number with its meaning on hover."""
    rule, n, count = found.rule, len(found.table), int(found.table["flagged"].sum())
    if math.isinf(rule.threshold):
        _why_nothing(found)
        return
    st.markdown(
        f"**Threshold {format_value(rule.threshold)}** · {count:,} of {n:,} flagged ({percent(count / n, 1)})",
        help="Images that score above it are flagged: those with a p-value of at most "
        f"{format_value(rule.expected, 4)} = {format_digits(rule.expected * (rule.groups + 1))}/{rule.groups + 1}.",
    )
    if found.by == "alarm":
        st.markdown(
            f"**{alarms_text(*found.expected)}** false alarms expected among {counted(n, 'image')} if all were ID",
            help="Mean number and, in brackets, its middle 95 %: it varies because the images do and because the "
            "threshold rests on finitely many ID-test images (beta-binomial, exact without ties).",
        )
    share, lo, hi = (percent(value, 1) for value in rule.realised)
    st.markdown(
        f"**{rule.flagged:,} of {rule.n_id:,}** ID-test images above it: {share} [{lo}, {hi}]",
        help=f"The realised false-alarm rate with its Clopper-Pearson 95 % interval{_INDEPENDENT}. "
        f"{_REALISED_HELP[found.by]}",
    )
    if found.detector not in PRESETS and chosen_by in _CHOSEN:
        st.caption(
            f"{_CHOSEN[chosen_by]}: expect more false alarms than stated, and check on ID images that were held out."
        )


def _reference(found: Found) -> str:
    """The ID-test images, with their groups where they are of any."""
    n, groups = found.rule.n_id, found.rule.groups
    return f"{n:,} ID-test images" + (f" of {groups:,} groups" if groups < n else "")


def _why_nothing(found: Found) -> None:
    n, rate = found.rule.groups, found.rate
    smallest = f"With {_reference(found)} the smallest p-value is 1/{n + 1:,} = {percent(1 / (n + 1), None)}"
    if found.by == "discovery":
        text = f"{smallest}, too large for a false discovery rate of {percent(rate, None)} here. Ask for a higher rate."
    else:
        needed = math.ceil(1 / rate - 1e-9) - 1
        text = (
            f"{smallest}: no image can be flagged at {percent(rate, None)}. Ask for a higher rate, or measure with "
            f"at least {needed:,} ID-test images{' of different groups' if n < found.rule.n_id else ''}."
        )
    st.info(text, icon=":material/info:")
