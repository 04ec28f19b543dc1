"""Whether the form seals a prediction before OOD images are opened: for nothing where the ID set has a seal."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cfs_explore.contracts import Tap
from cfs_explore.jobs.estimate import format_seconds, forward_seconds
from cfs_explore.store import Run
from cfs_explore.store.seal import has_seal
from cfs_explore.studies import DIAGNOSTICS, Counts

_KEY = "new_seal"


def choose_seal(counts: Counts | None, base: Run | None, taps: Sequence[Tap], seconds: float | None) -> None:
    """The choice for a new ID set, with its cost; for one that is measured, whether its seal judges the new sets.

    Args:
        counts: of the run to be; None while images or levels are missing.
        base: the exploration whose ID set is used.
        taps: that will be measured.
        seconds: per forward; None while unknown.
    """
    if base is not None:
        if has_seal(base.path):
            st.caption(
                "A prediction was sealed from this ID set before your images came: with its levels and taps, it is "
                "judged by them, too."
            )
        return
    if counts is None:
        return
    forwards = DIAGNOSTICS["prediction"].forwards(counts)
    time = "" if seconds is None else f", about {format_seconds(forward_seconds(forwards, taps, seconds))}"
    st.checkbox(
        f"Seal a prediction first ({forwards:,} forwards{time})",
        key=_KEY,
        help="From ID images alone, before any OOD image is opened, it is written down which cell will do best; the "
        "page Prediction then says what that was worth. Its forwards are those of the diagnostic Prediction, which "
        "takes them over.",
    )


def chosen_seal(base: Run | None) -> bool:
    """The choice as the field ``seal`` of a spec."""
    return base is None and bool(st.session_state.get(_KEY))
