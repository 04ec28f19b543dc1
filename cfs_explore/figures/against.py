"""Other explorations beside a run, given by name; the protocol page chooses up to two."""

from __future__ import annotations

from cfs_explore.figures.choices import Choices
from cfs_explore.figures.options import Several, split_names
from cfs_explore.locations import locate_run
from cfs_explore.store import Run, open_run

#: More would not fit beside each other.
MOST_OTHERS = 2
AGAINST = Several(
    "protocol_against",
    "Compare with",
    help=f"Up to {MOST_OTHERS} other explorations, for example of other backbones on the same image sets.",
    width=380,
    written="run directories or bundles' names, comma-separated",
    former=("against",),
)


def others(choices: Choices) -> list[Run]:
    """The explorations beside the run, as they are given, or else named, in order.

    Raises:
        RunError: there is none of that name.
    """
    if choices.beside:
        return list(choices.beside)
    return [open_run(locate_run(name)) for name in split_names(AGAINST.said(choices.options) or "")]
