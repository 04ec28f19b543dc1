"""Step 4 of the form, under More: which diagnostics follow the map, each with what it costs."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cfs_explore.contracts import Tap
from cfs_explore.estimate import format_seconds, forward_seconds
from cfs_explore.spec import IdSpec
from cfs_explore.stages import STAGES, Counts
from cfs_explore.store import Run
from cfs_explore.ui.new_backbone import BackboneChoice
from cfs_explore.ui.new_images import SetChoice
from cfs_explore.ui.new_settings import Settings

_KEY = "new_diagnostics"


def cost_counts(
    ood: Sequence[SetChoice], backbone: BackboneChoice, base: Run | None, train: SetChoice | None, settings: Settings
) -> Counts | None:
    """What decides the cost of the diagnostics; None while ID images or levels are missing."""
    if not settings.lams or (base is None and (train is None or train.count < 2)):
        return None
    if base is not None:
        n_train, n_test = base.counts.train, base.counts.test
    else:  # one set is split
        n_test = min(max(1, round(train.count * IdSpec.model_fields["test_fraction"].default)), train.count - 1)
        n_train = train.count - n_test
    oods = tuple(choice.count for choice in ood)
    lowest, highest = backbone.facts["reach"]
    aligned = settings.protocol.reference is not None
    return Counts(n_train, n_test, oods, len(settings.lams), settings.draws, highest, lowest, aligned)


def chosen_diagnostics() -> list[str]:
    """Names of the chosen stages in their order; all of them at first."""
    known = st.session_state.get(_KEY, list(STAGES))
    return [name for name in STAGES if name in known]


def choose_diagnostics(counts: Counts | None, taps: Sequence[Tap], seconds_per_forward: float | None) -> None:
    """The choice itself.

    Args:
        counts: of the run to be; None: no costs are told.
        taps: that will be measured.
        seconds_per_forward: None while unknown: the forwards are told without a time.
    """
    # The browser knows the options by their labels, and those change with the costs: tell it the choice again.
    st.session_state[_KEY] = chosen_diagnostics()
    st.multiselect(
        "Diagnostics",
        list(STAGES),
        key=_KEY,
        format_func=lambda name: _label(name, counts, taps, seconds_per_forward),
        placeholder="The map alone",
        help="What is computed after the map, which can be looked at meanwhile. Those without forwards take seconds. "
        "Any that is left out can be added later: cfs-explore diagnose.",
    )


def _label(name: str, counts: Counts | None, taps: Sequence[Tap], seconds_per_forward: float | None) -> str:
    """'Controls, +31,000 forwards, about 2 min'."""
    stage = STAGES[name]
    if counts is None:
        return stage.title
    forwards = stage.forwards(counts)
    if not forwards:
        return f"{stage.title}, no forwards"
    label = f"{stage.title}, +{forwards:,} forwards"
    if seconds_per_forward is None:
        return label
    return f"{label}, about {format_seconds(forward_seconds(forwards, taps, seconds_per_forward))}"
