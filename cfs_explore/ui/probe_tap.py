"""One tap on the probe page: its strongest channels, its z-scores, and its score among those of ID images."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from cfs_explore.contracts import Level
from cfs_explore.figures import short_tap_name
from cfs_explore.figures.score_marks import score_marks_figure
from cfs_explore.figures.theme import format_value
from cfs_explore.figures.z_bars import z_bars_figure
from cfs_explore.headlines.probe import format_score
from cfs_explore.probe.seen import Seen, TapView
from cfs_explore.store import Run
from cfs_explore.ui import probe_data, probe_pictures, state
from cfs_explore.ui.figure import show_figure
from cfs_explore.ui.probe_images import Shown
from cfs_explore.ui.sidebar import escape

_HELP = (
    "The channels whose mean over space is farthest from ID-train in either image, each with its z-score. A channel "
    "has one grey scale in both images, from its lowest (black) to its highest value (white)."
)


def show(run: Run, shown: Sequence[Shown], seen: Seen, view: TapView, reference: Level) -> None:
    """The panel of one tap.

    Args:
        run: the exploration.
        shown: the images.
        seen: what the probe saw.
        view: of this tap.
        reference: the measured level whose ID statistics are used.
    """
    tap = view.tap
    st.subheader(escape(f"{short_tap_name(tap.name)} ({tap.region})"), anchor=False, help=_HELP)
    about = f"{tap.name} · {tap.depth:.0%} of the forward's work · {tap.resolution}×{tap.resolution}"
    probe_pictures.show_maps(shown, view, f"{about}, {tap.channels} channels")
    position = run.taps.index(tap)
    key = f"probe_{tap.region}"
    _scores(run, shown, seen, view, position, reference, key)
    _z_scores(run, shown, view, reference, key)


def _scores(run: Run, shown: Sequence[Shown], seen: Seen, view: TapView, tap: int, reference: Level, key: str) -> None:
    bins, log = probe_data.id_bins(run, run.digest, seen.position, tap)
    scores = [float(score) for score in view.score]
    marks = pd.DataFrame(
        {
            "image": [each.letter for each in shown],
            "role": [each.role for each in shown],
            "score": scores,
            "text": [f"{each.letter} {format_score(score)}" for each, score in zip(shown, scores, strict=True)],
        }
    )
    count = run.id_test.count
    show_figure(
        score_marks_figure(bins, marks, state.figure_theme(), log=log),
        key=f"{key}_score",
        rows=marks[["image", "score"]],
        caption=f"Slot scores of single draws. Grey: {count:,} ID test images × {run.draws} draws at "
        f"λ = {format_value(reference.lam, 2)}.",
        alt=f"Slot scores {', '.join(marks['text'])} on the histogram of {count} ID test images at "
        f"{short_tap_name(view.tap.name)}.",
        file_name=_stem(run, view, "score"),
        lazy=True,
    )


def _z_scores(run: Run, shown: Sequence[Shown], view: TapView, reference: Level, key: str) -> None:
    roles = {each.letter: each.role for each in shown}
    table = view.z_table(list(roles))
    largest = table.loc[table["z"].abs().idxmax()]
    n = run.entry("id_train").samples
    show_figure(
        z_bars_figure(table, roles, state.figure_theme()),
        key=f"{key}_z",
        rows=table,
        caption=f"z = (feature − μ) / √v, μ and v of {n:,} ID-train snapshots at λ = {format_value(reference.lam, 2)}; "
        "the mean of z² over both rows is the slot score.",
        alt=f"z-scores of {view.tap.channels} channels' means and standard deviations; the largest is "
        f"{largest['z']:.1f}, image {largest['image']}, channel {largest['channel']}.",
        file_name=_stem(run, view, "z"),
        lazy=True,
    )


def _stem(run: Run, view: TapView, what: str) -> str:
    return f"{run.path.name}-probe-{view.tap.name}-{what}"
