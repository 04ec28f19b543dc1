"""Other explorations beside a run, told by name; the protocol page chooses up to two."""

from __future__ import annotations

from cfs_explore.figures.choices import Choices
from cfs_explore.figures.options import Option
from cfs_explore.locations import locate_run
from cfs_explore.store import Run, open_run

AGAINST = Option("against", "", "other explorations: comma-separated run directories or bundles' names (default: none)")


def others(choices: Choices) -> list[Run]:
    """The explorations beside the run, as they are given, or else named, in order.

    Raises:
        RunError: there is none of that name.
    """
    if choices.beside:
        return list(choices.beside)
    names = [name.strip() for name in AGAINST.of(choices.options).split(",")]
    return [open_run(locate_run(name)) for name in names if name]
