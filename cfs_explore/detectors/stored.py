"""Detectors whose scores a finished run holds: what pages, figures and tables call one, whatever it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cfs_explore.contracts import Cell, Cost
from cfs_explore.diagnostics.compose import cells_cost, compose
from cfs_explore.store import Run


@dataclass(frozen=True)
class StoredCells:
    """The mean of the slot scores of some cells of the map (theory 4): it scores a run's images without a forward.

    Attributes:
        name: what people call it.
        cells: one or more.
    """

    name: str
    cells: tuple[Cell, ...]

    def scores(self, run: Run, role: str, name: str | None = None) -> np.ndarray:
        """Scores of a set, mean over draws, float64 (image,); higher = more OOD."""
        return compose(run.scores(role, name), self.cells)

    def cost(self, run: Run) -> Cost:
        """Per image, with the run's draws (theory 19)."""
        return cells_cost(self.cells, run.taps, run.draws)


def cells_detector(run: Run, indices: Sequence[int], name: str = "") -> StoredCells:
    """The detector of these cells, by their numbers in the map."""
    return StoredCells(name, tuple(run.cell(index) for index in indices))
