"""What a diagnostic is: what it answers, which tables it writes, what it costs, what computes and what shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from cfs_explore.studies.columns import Column

#: Lowest log-SNR of the alignment curves (or the backbone's own lowest).
CURVE_LOWEST = -8.0
ALL_SETS = ("id_train", "id_test", "ood")
#: What all detectors together may cost, as a multiple of the map's forwards, where a spec does not say (theory 19).
BUDGET = 3.0


class Table(NamedTuple):
    """One Parquet file of a run.

    Attributes:
        name: of ``tables/{name}.parquet``.
        row: what one row is.
        columns: what they must hold; files may have them in another order.
    """

    name: str
    row: str
    columns: tuple[Column, ...]

    @property
    def column_names(self) -> list[str]:
        return [column.name for column in self.columns]


class Counts(NamedTuple):
    """What decides a diagnostic's cost: images of each set, levels and draws of the map, the reachable log-SNRs.

    Attributes:
        reference: whether there is another run to align to.
        budget: of the stage of detectors, as a multiple of the map's forwards; None: its default.
        seconds_per_forward: of the map; None while unknown.
        milestones: weights that the backbone's training kept on its way.
        conditions: labels or prompts that the network is conditioned on besides.
    """

    train: int
    test: int
    ood: tuple[int, ...]
    levels: int
    draws: int
    highest: float
    lowest: float = CURVE_LOWEST
    reference: bool = False
    budget: float | None = None
    seconds_per_forward: float | None = None
    milestones: int = 0
    conditions: int = 0

    @property
    def scored(self) -> tuple[int, ...]:
        return (self.test, *self.ood)

    def measured(self, train: int, scored: int) -> int:
        """Images of all sets, of ID-train and of each scored set at most so many."""
        return min(self.train, train) + sum(min(n, scored) for n in self.scored)


class Page(NamedTuple):
    """A page of the app that shows diagnostics; they, its figures and its place in the navigation meet in its name.

    Attributes:
        name: of ``pages/{name}.py``, of the module in ``figures``, and in addresses.
        title: in the navigation.
        icon: in the navigation, one of Streamlit's material symbols.
        chapter: heading of its figures in a report.
        group: of the navigation.
    """

    name: str
    title: str
    icon: str
    chapter: str
    group: str = "Why"


def no_forwards(counts: Counts) -> int:
    """Of a diagnostic that reads only what the map left."""
    return 0


def every_run(counts: Counts) -> bool:
    """Of a diagnostic that any run can have."""
    return True


class Diagnostic(NamedTuple):
    """One diagnostic, a stage of a run that follows its map.

    Attributes:
        name: in specs, on the command line, and of the file that computes it.
        title: what a person reads.
        question: what it answers.
        tables: that it writes.
        page: of the app, which shows it; several diagnostics may share one.
        place: among the diagnostics, in a run and in every list; those without forwards come first.
        forwards: backbone forwards that it needs beyond the map's.
        reads: roles of the sets whose images it reads again.
        shows: whether it also reads images of every set whose pictures the run may hold.
        applies: whether a run can have it; one that cannot does not lack it.
        lacking: why a run cannot have it, and what to do, in whole sentences.
    """

    name: str
    title: str
    question: str
    tables: tuple[Table, ...]
    page: Page
    place: int
    forwards: Callable[[Counts], int] = no_forwards
    reads: tuple[str, ...] = ()
    shows: bool = False
    applies: Callable[[Counts], bool] = every_run
    lacking: str = ""

    @property
    def compute(self) -> str:
        """ "module:function", which takes a ``pipeline.stages.Study`` and returns the tables by name."""
        return f"cfs_explore.pipeline.stages.{self.name}:compute"

    @property
    def table_names(self) -> tuple[str, ...]:
        return tuple(table.name for table in self.tables)
