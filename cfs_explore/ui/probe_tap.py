"""The charts of one tap on the probe page at the chosen level, with their data and files."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from cfs_explore.figures import short_tap_name
from cfs_explore.plates import probe as plates
from cfs_explore.probe.seen import Seen, TapView
from cfs_explore.store import Run
from cfs_explore.ui import probe_data, state
from cfs_explore.ui.figure import show_plate
from cfs_explore.ui.probe_images import Shown
from cfs_explore.ui.sidebar import escape


def show(run: Run, shown: Sequence[Shown], seen: Seen, view: TapView) -> None:
    """Scores among those of ID images, and z-scores.

    Args:
        run: the exploration.
        shown: the images.
        seen: what the probe saw.
        view: of this tap.
    """
    tap, reference = view.tap, run.levels[seen.position]
    st.header(escape(f"{short_tap_name(tap.name)} ({tap.region})"), anchor=False)
    theme, roles = state.figure_theme(), {each.letter: each.role for each in shown}
    images = pd.DataFrame({"image": list(roles), "role": list(roles.values()), "score": [float(s) for s in view.score]})
    bins, log = probe_data.id_bins(run, seen.position, run.taps.index(tap))
    show_plate(plates.scores(run, tap, images, bins, log, reference, theme), key=f"probe_{tap.region}_score", lazy=True)
    table = view.z_table(list(roles))
    show_plate(plates.z_scores(run, tap, table, roles, reference, theme), key=f"probe_{tap.region}_z", lazy=True)
