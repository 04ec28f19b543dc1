"""The controls that choose levels, taps and cells of a run: by name in the address, by position in the session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cfs_explore.charts import short_tap_name
from cfs_explore.contracts import Tap
from cfs_explore.errors import RunError
from cfs_explore.figures.choices import default_cells
from cfs_explore.figures.detector import cell_label
from cfs_explore.figures.options import Control, Several
from cfs_explore.store import Run
from cfs_explore.store.cell_names import cell_names, find_cell, find_level, find_tap, level_names
from cfs_explore.wording import format_value


@dataclass(frozen=True)
class _Level(Control):
    """Levels are written by their log-SNRs, '5.0', and are positions in the session; older links have '3' for those."""

    noun: str = "noise level"

    def one(self, value: int, run: Run | None = None) -> str:
        name = level_names(run.levels)[value]
        return f"{name}.0" if name.isdigit() else name

    def find(self, text: str, run: Run | None = None) -> int:
        if text.isascii() and text.isdigit() and int(text) < len(run.levels):
            return int(text)
        try:
            return find_level(run, float(text))
        except ValueError as error:
            raise RunError(f"{text!r} is no log-SNR.") from error


@dataclass(frozen=True)
class TapControl(Control):
    """A choice of one of a run's taps by its name, full or short."""

    noun: str = "tap"

    def find(self, text: str, run: Run | None = None) -> str:
        """The full name."""
        return super().find(run.taps[find_tap(run, text)].name, run)


def level_control(name: str, width: int) -> Control:
    """A choice of a level; the one whose snapshots were kept at first."""
    return _Level(
        name,
        "Noise level",
        lambda run: {k: f"λ = {format_value(level.lam, 1)}" for k, level in enumerate(run.levels)},
        lambda run: run.manifest.kept["level"],
        "Log-SNR λ of the noise that the backbone's input carries: high is clean, low is noisy.",
        "select",
        width,
    )


def tap_labels(taps: Sequence[Tap]) -> dict[str, str]:
    """Name of each tap -> 'up1.res1 (decoder)'."""
    return {tap.name: f"{short_tap_name(tap.name)} ({tap.region})" for tap in taps}


class _ByName:
    """Cells are written by their names, 'up1.res1@5', and are numbers in the session."""

    def one(self, value: int, run: Run | None = None) -> str:
        return cell_names(run)[value]

    def find(self, text: str, run: Run | None = None) -> int:
        return find_cell(run, text)


@dataclass(frozen=True)
class _Cell(_ByName, Control):
    noun: str = "cell"


@dataclass(frozen=True)
class _Cells(_ByName, Several):
    noun: str = "cell"


def _cell_labels(run: Run) -> dict[int, str]:
    return {index: cell_label(run, index) for index in range(len(run.levels) * len(run.taps))}


CELL = _Cell(
    "cell",
    "Open cell",
    _cell_labels,
    lambda run: default_cells(run)[-1],
    "Shown in detail. Type a part of a tap's name, or click in the figure.",
    "select",
    240,
)
CELLS = _Cells(
    "cells",
    "Cells whose slot scores are averaged",
    _cell_labels,
    default_cells,
    "CFS(K x L): the plain mean of the slot scores of K levels x L taps. On the map page, cells can also be clicked "
    "when a click is set to compose. The x of a chip removes its cell.",
)
LEVEL = level_control("level", 150)
TAP = Control(
    "tap",
    "Tap",
    lambda run: dict(enumerate(tap_labels(run.taps).values())),
    help="Where inside the backbone the activations are read; in order of execution.",
    drawn="select",
    width=260,
)
