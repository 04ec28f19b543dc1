"""The complementarity page's closer looks: over noise levels, over all pairs, at images, over the OOD sets."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from cfs_explore.diagnostics import GROUPS, Catches, StraddleShare, catches
from cfs_explore.figures import gain_curve_figure, pair_matrix_figure, set_gains_figure, short_tap_name
from cfs_explore.figures.theme import format_estimate, format_value
from cfs_explore.store import Run
from cfs_explore.ui import complementarity_data as numbers
from cfs_explore.ui import data, diagnostic_page, state
from cfs_explore.ui.complementarity_data import Pair
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.gallery import show_absence, show_gallery
from cfs_explore.ui.sidebar import escape

VIEWS = {"levels": "Over noise levels", "pairs": "All pairs", "images": "Images", "sets": "OOD sets"}
#: Who catches an image, in the order in which the choice shows them.
CAUGHT = ("decoder", "encoder", "both", "neither")
_SHOWN = 24
#: The top 5 % of the pairs may tie with further ones up to this share.
_TIED = 0.1


def show(run: Run, pair: Pair, rows: pd.DataFrame, scale: str) -> None:
    """The chosen look.

    Args:
        run: the exploration.
        pair: what is compared.
        rows: the pair's numbers, by scale.
        scale: "s" or "ln s".
    """
    look = st.session_state["comp_view"]
    if look == "levels":
        _over_levels(run, pair, scale)
    elif look == "pairs":
        _all_pairs(run, pair)
    elif look == "images":
        _images(run, pair)
    else:
        _ood_sets(run, pair)


def _over_levels(run: Run, pair: Pair, scale: str) -> None:
    """Both conditional gains at every level; a click chooses the level."""
    frame = numbers.gains(run, run.digest, pair.ood, pair.first, pair.second, scale)
    if frame.empty or frame[["gain_d", "gain_e"]].isna().all(axis=None):
        st.info(
            f"The gains on {scale} need at least two images in each set and scores that vary"
            f"{' and are above 0' if scale == 'ln s' else ''}.",
            icon=":material/info:",
        )
        return
    first, second = pair.short
    labels = {"decoder": f"{second} given {first}", "encoder": f"{first} given {second}"}
    here, starts = (
        frame.iloc[pair.level],
        "bands (bootstrap of 1,000 resamples) start at 0 where the direction is uncertain",
    )
    n_id, n_ood = run.id_test.count, run.entry("ood", pair.ood).count
    show_figure(
        gain_curve_figure(frame, labels, state.figure_theme(), pair.level),
        key="comp_levels",
        rows=frame,
        caption=f"Gain in D² (6) on {scale}; 95 % {starts}; n = {n_id} ID, {n_ood} OOD images ({pair.ood}), mean of "
        f"{run.draws} draws. Click a marker to choose its level.",
        alt="; ".join(f"{labels[role]}: gain {here[f'gain_{role[0]}']:.2f} at the chosen level" for role in labels),
        file_name=numbers.stem(run, pair) + "-gains",
        on_select=_pick_level,
    )


def _pick_level() -> None:
    picked = _picked("comp_levels")
    if picked is not None:
        st.session_state["comp_level"] = picked


def _picked(key: str) -> int | None:
    """What the clicked point of a chart carries."""
    points = st.session_state[key]["selection"]["points"]
    values = [point["customdata"] for point in points if isinstance(point.get("customdata"), int)]
    return values[-1] if values else None


def _all_pairs(run: Run, pair: Pair) -> None:
    """The matrix of gains; a click chooses the pair."""
    table = diagnostic_page.stage_table(run, "pair_gain")
    if table is None:
        return
    pairs = table[(table["ood"] == pair.ood) & (table["level"] == pair.level)]
    names = run.taps[pair.first].name, run.taps[pair.second].name
    best = pairs.loc[pairs["gain"].idxmax()]
    found = numbers.straddling(run, run.digest, pair.ood, pair.level)
    st.markdown(_straddle_text(found, best["gain"]), help=_STRADDLE_HELP)
    show_figure(
        pair_matrix_figure(pairs, run.taps, state.figure_theme(), names),
        key="comp_pairs",
        rows=pairs.sort_values("gain", ascending=False),
        caption=f"AUROC of the average of two taps' scores minus that of the better one alone, at λ "
        f"{format_value(run.levels[pair.level].lam, 1)}, {len(pairs):,} pairs; grey: no gain; "
        f"n = {pairs['n_id'].iloc[0]} ID, {pairs['n_ood'].iloc[0]} OOD images ({pair.ood}), mean of {run.draws} draws. "
        "The largest of many gains is biased upwards. Click a cell to choose its pair; the chosen one is outlined.",
        alt=f"Gains of {len(pairs)} pairs run from {pairs['gain'].min():.3f} to {best['gain']:.3f}, the largest for "
        f"{short_tap_name(best['tap_a'])} and {short_tap_name(best['tap_b'])}.",
        file_name=numbers.stem(run, pair) + "-pairs",
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
        f"Of the top {found.top} pairs (5 %), **{100 * found.share:.0f} %** straddle the bottleneck, {verdict}: "
        f"{100 * found.expected:.0f} % expected [{100 * found.lo:.0f} %, {100 * found.hi:.0f} %]."
    )


def _pick_pair(run: Run) -> None:
    """The tap that stands earlier in the forward pass becomes the first."""
    picked = _picked("comp_pairs")
    if picked is not None:
        earlier, later = sorted(divmod(picked, len(run.taps)))
        st.session_state["comp_first"], st.session_state["comp_second"] = run.taps[earlier].name, run.taps[later].name


def _images(run: Run, pair: Pair) -> None:
    """The OOD images of one group, and how many each group has."""
    id_e, id_d, ood_e, ood_d = (values[0] for values in numbers.pair_scores(run, pair, [pair.level]))
    found = catches(id_e, id_d, ood_e, ood_d)
    labels = _group_labels(pair)
    st.segmented_control(
        "OOD images caught by",
        list(CAUGHT),
        key="comp_caught",
        format_func=lambda group: f"{labels[group]}: {found.count[GROUPS.index(group)]}",
        required=True,
        help="An image is caught when its score is above the threshold that 95 % of the ID images stay below.",
    )
    group = st.session_state["comp_caught"]
    state.remember(comp_caught=group)
    st.markdown(_counts_text(found, labels))
    rows = np.flatnonzero(found.group == GROUPS.index(group))
    if rows.size == 0:
        st.info(f"No image of {escape(pair.ood)} is in this group.", icon=":material/info:")
        return
    score, about = {"encoder": (ood_e, pair.short[0]), "decoder": (ood_d, pair.short[1])}.get(
        group, ((ood_e + ood_d) / 2, "plain average")
    )
    order = rows[np.argsort(-score[rows], kind="stable")][:_SHOWN]
    heading = f"{labels[group]}: {len(order)} of {rows.size} images of {pair.ood}, by {about} score, highest first"
    images = data.images(run, run.digest, "ood", pair.ood)
    show_absence(run, ("ood", pair.ood))
    show_gallery(heading, images, score, order, "The number is that score.")


def _group_labels(pair: Pair) -> dict[str, str]:
    first, second = ("encoder", "decoder") if pair.names != pair.short else pair.short
    return {"both": "Both", "encoder": f"Only {first}", "decoder": f"Only {second}", "neither": "Neither"}


def _counts_text(found: Catches, labels: dict[str, str]) -> str:
    """Shares of the groups with their Wilson intervals."""
    n = found.group.size
    shares = []
    for group in CAUGHT:
        k = GROUPS.index(group)
        estimate = format_estimate(found.count[k] / n, found.lo[k], found.hi[k])
        shares.append(f"{escape(labels[group])} **{estimate}**")
    return f"Share of the {n} OOD images (Wilson 95 % interval): {' · '.join(shares)}"


def _ood_sets(run: Run, pair: Pair) -> None:
    """The published pairs on every OOD set at the chosen level."""
    table = diagnostic_page.stage_table(run, "complementarity")
    if table is None:
        return
    if table.empty:
        st.info(
            "This exploration has no published pair: its taps do not include both sides of the bottleneck.",
            icon=":material/info:",
        )
        return
    rows = table[(table["preset"] == table["preset"].iloc[0]) & (table["level"] == pair.level)]
    rows = rows[rows["scale"] == "s"]  # AUROCs do not depend on the scale
    first, second = (short_tap_name(rows[side].iloc[0]) for side in ("encoder", "decoder"))
    show_figure(
        set_gains_figure(rows, state.figure_theme()),
        key="comp_sets",
        rows=rows,
        caption=f"AUROC of the plain average of {first} (encoder) and {second} (decoder), the published CFS(1x2) pair, "
        f"minus that of the better one alone, at λ {format_value(run.levels[pair.level].lam, 1)}; paired DeLong CI; "
        f"n = {rows['n_id'].iloc[0]} ID images, {_span(rows['n_ood'])} OOD images. Circle: the decoder is better "
        "alone; square: the encoder; diamond: neither.",
        alt="; ".join(f"{row['ood']}: {row['auroc_gain']:+.3f}" for row in rows.to_dict("records")),
        file_name=f"{run.path.name}-complementarity-sets-level{pair.level}",
    )


def _span(counts: pd.Series) -> str:
    low, high = counts.min(), counts.max()
    return f"{low}" if low == high else f"{low} to {high}"
