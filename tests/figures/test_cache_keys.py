"""Pages keep a figure under what its kind says that it depends on: nothing else of the choices may be read."""

import contextlib
import dataclasses
from typing import ClassVar

import pytest

from cfs_explore.diagnostics import ScoreError
from cfs_explore.figures.catalogue import KINDS
from cfs_explore.figures.choices import Choices, choose
from cfs_explore.figures.needs import NotMeasuredError

FIELDS = {field.name for field in dataclasses.fields(Choices)}


class Watched(Choices):
    """Choices that note which of their fields were read."""

    read: ClassVar[set[str]] = set()

    def __getattribute__(self, name):
        if name in FIELDS:
            Watched.read.add(name)
        return super().__getattribute__(name)


class WatchedOptions(dict):
    """Options that note which were asked for."""

    def __init__(self, *content):
        super().__init__(*content)
        self.asked = set()

    def get(self, name, default=None):
        self.asked.add(name)
        return super().get(name, default)

    def __getitem__(self, name):
        self.asked.add(name)
        return super().__getitem__(name)


@pytest.mark.parametrize("name", [name for name in KINDS if not name.startswith("probe-")])
def test_a_figure_reads_no_choice_that_it_does_not_name(name, digits):
    kind = KINDS[name]
    choices = choose(digits, ood="letters")
    options = WatchedOptions()
    watched = Watched(**{field: getattr(choices, field) for field in FIELDS - {"options"}}, options=options)
    Watched.read.clear()
    with contextlib.suppress(NotMeasuredError, ScoreError):
        kind.make(digits, watched, "light")
    assert Watched.read - {"options"} <= set(kind.of)
    assert options.asked <= {name for option in kind.options for name in (option.name, *option.former)}
