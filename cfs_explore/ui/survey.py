"""What is seen of a set of the form, in the background: quickly and unasked, or more of it where it is asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from cfs_explore import images
from cfs_explore.errors import CFSError
from cfs_explore.images.contact_sheet import Thumbnail
from cfs_explore.images.preprocess import thumbnail
from cfs_explore.images.record import Record, Source
from cfs_explore.images.survey import FACTS, Survey, survey, survey_rows
from cfs_explore.store import Run
from cfs_explore.ui import background, data
from cfs_explore.ui.new_images import SetChoice
from cfs_explore.ui.source_facts import modified

#: Images of a set that are looked at unasked, and in its details; those of them that are shown.
QUICK, MOST = 200, 2000
_STRIP, _SHEET = 12, 48
#: Pixels that a quick look reads at most, about: twelve photographs of a phone, in some seconds.
_QUICK_PIXELS = 150_000_000
_SIDE = 96


@dataclass(frozen=True, eq=False)
class Seen:
    """What was seen of a set, and a few of its images."""

    survey: Survey
    shown: list[Thumbnail]


def quick_survey(choice: SetChoice) -> background.Task[Seen]:
    """A few images of a set, drawn at random."""
    return _task(choice, "quick", QUICK, _STRIP)


def full_survey(choice: SetChoice) -> background.Task[Seen]:
    """Many images of a set."""
    return _task(choice, "full", MOST, _SHEET)


def seen(choice: SetChoice) -> Survey | None:
    """What is known of a set by now; None as long as nothing is, and where it cannot be read."""
    if choice.facts.error:
        return None
    try:
        found = quick_survey(choice).result()
    except CFSError:
        return None
    return None if found is None else found.survey


def is_looking(choices: Sequence[SetChoice]) -> bool:
    """Whether some of these sets are still being looked at."""
    return any(not choice.facts.error and not quick_survey(choice).ended for choice in choices)


def seen_of(choices: Sequence[SetChoice]) -> list[Survey]:
    """What is known of these sets, after a moment's patience."""
    usable = [choice for choice in choices if not choice.facts.error]
    background.wait([quick_survey(choice) for choice in usable])
    return [found for found in map(seen, usable) if found is not None]


@data.kept(max_entries=8, show_spinner="Reading the ID images of the stored run")
def stored_survey(run: Run) -> Survey:
    """The ID images of a run, those that fit the statistics and those that are scored."""
    rows = [run.images(role, columns=(*FACTS, "thumbnail")) for role in ("id_train", "id_test")]
    skipped = run.table("skipped")
    unusable = skipped.loc[skipped["role"] != "ood", ["name", "reason"]]
    return survey_rows(pd.concat(rows, ignore_index=True), run.id_test.name, unusable=unusable, sample=MOST)


def seed() -> int:
    """The seed that the form's run will have."""
    return int(st.session_state.get("new_seed", 0))


def _task(choice: SetChoice, kind: str, most: int, shown: int) -> background.Task[Seen]:
    most, source, drawn_by = min(choice.limit or most, most), choice.source, seed()

    def work(steps: background.Steps) -> Seen:
        with images.open_source(source) as opened:
            sample = _affordable(opened, most) if kind == "quick" else most
            return _see(opened, sample, drawn_by, shown, steps)

    return background.task((kind, json.dumps(source), modified(source), most, drawn_by), work)


def _affordable(source: Source, most: int) -> int:
    """How many images a quick look may read: fewer where the first ones are large."""
    first = next(source.readable(range(min(3, len(source)))), None)
    if first is None:
        return most
    return max(1, min(most, max(_STRIP, _QUICK_PIXELS // (first.width * first.height))))


def _see(source: Source, sample: int, drawn_by: int, shown: int, steps: background.Steps) -> Seen:
    """Look at ``sample`` images, and keep small copies of ``shown`` of them, from all over the set."""
    count = min(sample, len(source))
    small: list[Thumbnail] = []

    def keep(position: int, record: Record) -> None:
        if len(small) * count < (position + 1) * shown:
            small.append(Thumbnail(record.name, record.label, thumbnail(record.pixels, _SIDE)))

    return Seen(survey(source, sample=sample, seed=drawn_by, progress=steps, seen=keep), small)
