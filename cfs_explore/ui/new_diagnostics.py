"""How much the form measures beyond the map: three choices, each with what it adds and what it costs."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cfs_explore.contracts import Tap
from cfs_explore.explorations.absent import Absent, computable, needed
from cfs_explore.jobs.estimate import format_seconds, forward_seconds
from cfs_explore.spec import IdSpec, RunSpec
from cfs_explore.store import Run
from cfs_explore.store.milestones import count_milestones
from cfs_explore.studies import DIAGNOSTICS, STANDARD, Counts, named_stages
from cfs_explore.studies.detectors import DETECTORS, budget_told
from cfs_explore.ui import data
from cfs_explore.ui.new_backbone import BackboneChoice
from cfs_explore.ui.new_images import SetChoice
from cfs_explore.ui.new_settings import Settings
from cfs_explore.ui.sidebar import escape
from cfs_explore.wording import listed

_KEY = "new_diagnostics"
_DEFAULT = RunSpec.model_fields["diagnostics"].default
_CHOICES = {"map": "Map", "standard": "Standard", "all": "Everything"}


def _titles(words: Sequence[str]) -> str:
    return listed([DIAGNOSTICS[name].title.lower() for name in words])


#: Stages that only some backbones can have.
_OPTIONAL = [name for name, diagnostic in DIAGNOSTICS.items() if diagnostic.lacking]
#: What each choice adds to the one before it.
_ADDS = {
    "map": "The map and nothing else",
    "standard": f"Also {_titles(STANDARD)}",
    "all": f"Also {_titles([name for name in DIAGNOSTICS if name not in (*STANDARD, *_OPTIONAL)])}",
}


def cost_counts(
    ood: Sequence[SetChoice],
    backbone: BackboneChoice,
    base: Run | None,
    train: SetChoice | None,
    settings: Settings,
    seconds_per_forward: float | None,
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
    kept = count_milestones(backbone.spec.path, backbone.spec.milestones)
    conditions = len(settings.protocol.conditions)
    size = (n_train, n_test, oods, len(settings.lams), settings.draws, highest, lowest)
    return Counts(*size, aligned, None, seconds_per_forward, milestones=kept, conditions=conditions)


def chosen_diagnostics() -> str:
    """The choice as the field ``diagnostics`` of a spec."""
    return st.session_state.get(_KEY) or _DEFAULT


def absent_images(base: Run | None) -> list[Absent]:
    """ID sets of the run whose statistics are used, if their images are not on this machine."""
    found = [] if base is None else data.absent(base)
    return [each for each in found if each.role != "ood"]


def diagnostic_forwards(counts: Counts | None, absent: Sequence[Absent], diagnostics: str | None = None) -> int:
    """Forwards of the chosen diagnostics, or of these; 0 while nothing is known of the run.

    Args:
        counts: of the run to be.
        absent: sets whose images are not here; stages that need them are left out.
        diagnostics: as a spec says it.
    """
    names = computable(named_stages(diagnostics or chosen_diagnostics()), absent)
    return 0 if counts is None else sum(DIAGNOSTICS[name].forwards(counts) for name in names)


def choose_diagnostics(
    map_forwards: int,
    counts: Counts | None,
    absent: Sequence[Absent],
    taps: Sequence[Tap],
    seconds_per_forward: float | None,
) -> None:
    """The choice itself.

    Args:
        map_forwards: of the map itself; 0 while nothing is known of the run.
        counts: of the run to be; None: no costs are shown.
        absent: sets whose images are not here.
        taps: that will be measured.
        seconds_per_forward: None while unknown: forwards are shown without a time.
    """
    # The browser knows an option by its caption, too, and those change with the costs: give it the choice again.
    st.session_state[_KEY] = chosen_diagnostics()

    def caption(word: str) -> str:
        if word == "standard":
            return f"{_ADDS[word]}: a few seconds more."
        forwards = map_forwards if word == "map" else diagnostic_forwards(counts, absent, word)
        cost = _cost(forwards, " more" * (word == "all"), taps, seconds_per_forward)
        names = _possible(word, counts)
        spends = counts and DETECTORS.name in computable(names, absent)
        falsifier = f" {DETECTORS.title} takes {budget_told(counts)}." if spends else ""
        fitting = [name for name in names if name in _OPTIONAL]
        also = f" With {_titles(fitting)}, which this backbone allows." if fitting else ""
        return f"{_ADDS[word]}{cost}.{also}{falsifier}{_fetched(names, absent)}{_left_out(names, absent)}"

    st.radio(
        "Diagnostics",
        list(_CHOICES),
        key=_KEY,
        format_func=_CHOICES.get,
        captions=[caption(word) for word in _CHOICES],
        help="Computed after the map, which you can open meanwhile. What is left out can be computed later, on the "
        "page that shows it.",
    )


def _cost(forwards: int, more: str, taps: Sequence[Tap], seconds_per_forward: float | None) -> str:
    """Forwards and time as the end of a sentence; "" where nothing is known."""
    if not forwards:
        return ""
    counts = f": {forwards:,} forwards{more}"
    if seconds_per_forward is None:
        return counts
    return f"{counts}, about {format_seconds(forward_seconds(forwards, taps, seconds_per_forward))}"


def _possible(word: str, counts: Counts | None) -> list[str]:
    """Stages of a choice that the run to be can have."""
    names = named_stages(word)
    return [n for n in names if n not in _OPTIONAL or (counts is not None and DIAGNOSTICS[n].applies(counts))]


def _fetched(names: Sequence[str], absent: Sequence[Absent]) -> str:
    """Whose images these stages fetch, as a sentence; "" where all are here."""
    sets = [each.name for each in needed(computable(names, absent), absent) if each.fetched]
    return f" The images of {escape(listed(sets))} are fetched first, over the network." if sets else ""


def _left_out(names: Sequence[str], absent: Sequence[Absent]) -> str:
    """Which of these stages lack images, as a sentence; "" where none does."""
    lacking = [name for name in names if name not in computable(names, absent)]
    if not lacking:
        return ""
    sets = listed([each.name for each in needed(lacking, absent) if not each.fetched])
    return f" Without {_titles(lacking)}: the images of {escape(sets)} are not on this machine."
