"""What a figure needs of a run, or one sentence that says why it is not there and what to run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from cfs_explore.errors import RunError
from cfs_explore.explorations.missing import cost_of
from cfs_explore.figures.choices import Choices
from cfs_explore.figures.figure import Figure
from cfs_explore.figures.options import Control
from cfs_explore.store import Run
from cfs_explore.studies import writer_of

#: Why a cell has no features, and what to run.
NOT_KEPT = (
    "This needs the cell's snapshots, which were not kept. Name its tap under `keep` in the spec (and its λ as "
    "`keep_level`) and run again."
)


class NotMeasuredError(RunError):
    """The run lacks what a figure shows; the message says what to do."""


@dataclass(frozen=True)
class Kind:
    """One figure of the app.

    Attributes:
        title: what it shows, in a few words.
        make: the figure of a run for these choices in a theme; raises NotMeasuredError.
        of: what it reads of ``Choices``, by the fields' names.
        options: what it reads of ``Choices.options``.
        applies: whether it is of a run at all; where not, it is made for nobody who did not name it.
    """

    title: str
    make: Callable[[Run, Choices, str], Figure]
    of: tuple[str, ...] = ()
    options: tuple[Control, ...] = ()
    applies: Callable[[Run], bool] = lambda run: True


def why_no_table(run: Run, name: str, *, remedy: bool = False) -> str:
    """Why a run has no such table, and on request how to get it; "" where it has it."""
    stage = writer_of(name)
    entry = run.manifest.stages.get(stage.name)
    if entry is not None and entry.state == "skipped":
        return f"{stage.title} could not be computed: {entry.why}"
    if run.has_table(name):
        return ""
    if not stage.applies(run.counts):
        return f"{run.name} cannot have the stage {stage.title}. {stage.lacking}"
    command = f"`cfs-explore diagnose {run.path} --stages {stage.name}` computes it ({cost_of(run, [stage.name])})."
    return f"{run.name} was made without the stage {stage.title}" + (f". {command}" if remedy else "")


def stage_rows(run: Run, name: str, **of: object) -> pd.DataFrame:
    """Rows of a stage's table whose columns have these values, such as ``ood="letters"``.

    Raises:
        NotMeasuredError: the run has no such table, or no such rows in it.
    """
    if why := why_no_table(run, name, remedy=True):
        raise NotMeasuredError(why)
    table = run.table(name)
    for column, value in of.items():
        table = table[table[column] == value]
    if table.empty:
        where = "".join(f", {column} {value}" for column, value in of.items())
        raise NotMeasuredError(f"{writer_of(name).title} of {run.name} has no rows{where}.")
    return table.reset_index(drop=True)
