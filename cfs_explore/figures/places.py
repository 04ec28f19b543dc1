"""The controls that choose levels, taps and cells of a run: positions in the session, cells by name in the address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cfs_explore.charts import short_tap_name
from cfs_explore.contracts import Tap
from cfs_explore.figures.cells import cell_names, find_cell
from cfs_explore.figures.choices import default_cells
from cfs_explore.figures.detector import cell_label
from cfs_explore.figures.options import Control, Several
from cfs_explore.store import Run
from cfs_explore.wording import format_value


def level_control(name: str, width: int) -> Control:
    """A choice of a level, by its position; the one whose snapshots were kept at first."""
    return Control(
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
    pass


@dataclass(frozen=True)
class _Cells(_ByName, Several):
    pass


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
