"""The complementarity page's closer looks: over noise levels, over all pairs, at images, over the OOD sets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st

from cfs_explore.diagnostics import GROUPS, Catches, Groups, StraddleShare, catches
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.complementarity import pair_rows, straddling
from cfs_explore.figures.options import Control
from cfs_explore.figures.pair import Pair, pair_scores
from cfs_explore.store import Run
from cfs_explore.ui import choosing, data, diagnostic_page
from cfs_explore.ui.figure import picked, show_figure
from cfs_explore.ui.gallery import show_absence, show_gallery
from cfs_explore.ui.sidebar import escape
from cfs_explore.wording import counted, format_estimate, percent

LOOK = Control(
    "comp_view",
    "Look closer",
    {"levels": "Over noise levels", "pairs": "All pairs", "images": "Images", "sets": "OOD sets"},
    help="Over noise levels: what each adds to the other at every level. All pairs: what averaging any two taps is "
    "worth. Images: which OOD images each of the two catches. OOD sets: the published pair on every set.",
)
#: Who catches an image, in the order in which the choice shows them.
CAUGHT = Control(
    "comp_caught",
    "OOD images caught by",
    {group: group for group in ("decoder", "encoder", "both", "neither")},
    help="An image is caught when its score is above the threshold that 95 % of the ID images stay below.",
)
_SHOWN = 24
#: The top 5 % of the pairs may tie with further ones up to this share.
_TIED = 0.1


def show(run: Run, view: Choices, pair: Pair) -> None:
    """The chosen look at a pair."""
    look = st.session_state["comp_view"]
    if look == "levels":
        show_figure(
            "complementarity-levels",
            run,
            view,
            key="comp_levels",
            hint="Click a marker to choose its level.",
            on_select=_pick_level,
        )
    elif look == "pairs":
        _all_pairs(run, view)
    elif look == "images":
        _images(run, view, pair)
    elif diagnostic_page.stage_table(run, "complementarity") is not None:
        show_figure("complementarity-sets", run, view, key="comp_sets")


def _pick_level() -> None:
    if levels := picked("comp_levels"):
        st.session_state["comp_level"] = levels[-1]


def _all_pairs(run: Run, view: Choices) -> None:
    """The matrix of gains; a click chooses the pair."""
    if diagnostic_page.stage_table(run, "pair_gain") is None:
        return
    largest = pair_rows(run, view.ood, view.level)["gain"].max()
    st.markdown(_straddle_text(straddling(run, view), largest), help=_STRADDLE_HELP)
    show_figure(
        "complementarity-pairs",
        run,
        view,
        key="comp_pairs",
        hint="Click a cell to choose its pair.",
        on_select=lambda: _pick_pair(run),
    )


_STRADDLE_HELP = (
    "A pair straddles the bottleneck when one tap is before the middle block (input or encoder) and the other after it "
    "(decoder or output). In brackets the 95 % range of that share when the taps' sides are shuffled at random: pairs "
    "share taps, so counting them as independent would claim too much."
)


def _straddle_text(found: StraddleShare | None, largest: float) -> str:
    if largest <= 0:
        return "At this level no average of two taps does better than the better one of the two alone."
    if found is None:
        return "No pair of this exploration straddles the bottleneck: it measured taps on one side only."
    if found.top > max(2, _TIED * found.pairs):
        return f"{found.top} of {found.pairs} pairs tie for the largest gains: where those lie says nothing."
    verdict = "no more and no less than chance gives"
    if found.share > found.hi:
        verdict = "more than chance gives"
    elif found.share < found.lo:
        verdict = "less than chance gives"
    return (
        f"Of the top {found.top} pairs (5 %), **{percent(found.share)}** straddle the bottleneck, {verdict}: "
        f"{percent(found.expected)} expected [{percent(found.lo)}, {percent(found.hi)}]."
    )


def _pick_pair(run: Run) -> None:
    """The tap that stands earlier in the forward pass becomes the first."""
    if cells := picked("comp_pairs"):
        earlier, later = sorted(divmod(cells[-1], len(run.taps)))
        st.session_state["comp_first"], st.session_state["comp_second"] = run.taps[earlier].name, run.taps[later].name


def _images(run: Run, view: Choices, pair: Pair) -> None:
    """The OOD images of one group, and how many each group has."""
    ood = view.ood
    id_e, id_d, ood_e, ood_d = pair_scores(run, view)
    found = catches(id_e, id_d, ood_e, ood_d, groups=Groups.of(*run.group_names(ood)))
    labels = _group_labels(pair)
    counted_labels = {group: f"{labels[group]}: {found.count[GROUPS.index(group)]}" for group in CAUGHT.values}
    group = choosing.choose(replace(CAUGHT, values=counted_labels), run)
    st.markdown(_counts_text(found, labels))
    rows = np.flatnonzero(found.group == GROUPS.index(group))
    if rows.size == 0:
        st.info(f"No image of {escape(ood)} is in this group.", icon=":material/info:")
        return
    score, about = {"encoder": (ood_e, pair.short[0]), "decoder": (ood_d, pair.short[1])}.get(
        group, ((ood_e + ood_d) / 2, "plain average")
    )
    order = rows[np.argsort(-score[rows], kind="stable")][:_SHOWN]
    heading = (
        f"{labels[group]}: {len(order):,} of {counted(rows.size, 'image')} of {ood}, by {about} score, highest first"
    )
    images = data.images(run, "ood", ood)
    show_absence(run, ("ood", ood))
    show_gallery(heading, images, score, order, "The number is that score.")


def _group_labels(pair: Pair) -> dict[str, str]:
    first, second = ("encoder", "decoder") if pair.names != pair.short else pair.short
    return {"both": "Both", "encoder": f"Only {first}", "decoder": f"Only {second}", "neither": "Neither"}


def _counts_text(found: Catches, labels: dict[str, str]) -> str:
    """Shares of the groups with their Wilson intervals."""
    n = found.group.size
    shares = []
    for group in CAUGHT.values:
        k = GROUPS.index(group)
        estimate = format_estimate(found.count[k] / n, found.lo[k], found.hi[k])
        shares.append(f"{escape(labels[group])} **{estimate}**")
    return f"Share of the {n:,} OOD images (Wilson 95 % interval): {' · '.join(shares)}"
