"""What is seen of a set of the form, in the background: quickly and unasked, or more of it where it is asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

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


def look_at(choices: Sequence[SetChoice]) -> list[SetChoice]:
    """These sets with what is known of them, after a moment's patience.

    It is asked once in a run of the page, so that proposal, warnings and Start follow from the same: what becomes known
    while the page is made is for the next run.
    """
    background.wait([quick_survey(choice) for choice in choices if not choice.facts.error])
    return [_looked_at(choice) for choice in choices]


def _looked_at(choice: SetChoice) -> SetChoice:
    if choice.facts.error:
        return choice
    task = quick_survey(choice)
    looking = not task.ended
    try:
        found = None if looking else task.result()
    except CFSError:
        found = None
    return replace(choice, looking=looking, survey=found and found.survey)


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
    affordable = max(1, min(most, max(_STRIP, _QUICK_PIXELS // (first.width * first.height))))
    return most if 2 * affordable >= min(most, len(source)) else affordable  # for a little more, all is known


def _see(source: Source, sample: int, drawn_by: int, shown: int, steps: background.Steps) -> Seen:
    """Look at ``sample`` images, and keep small copies of ``shown`` of them, from all over the set."""
    count = min(sample, len(source))
    small: list[Thumbnail] = []

    def keep(position: int, record: Record) -> None:
        if len(small) * count < (position + 1) * shown:
            small.append(Thumbnail(record.name, record.label, thumbnail(record.pixels, _SIDE)))

    return Seen(survey(source, sample=sample, seed=drawn_by, progress=steps, seen=keep), small)
