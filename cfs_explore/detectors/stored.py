"""Detectors whose scores a finished run holds: what pages, figures and tables call one, whatever it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cfs_explore.contracts import Cell, Cost
from cfs_explore.diagnostics.compose import cells_cost, compose
from cfs_explore.store import Run


class StoredDetector(Protocol):
    """A detector that scores a run's images without a forward.

    Attributes:
        name: what people call it.
    """

    name: str

    def scores(self, run: Run, role: str, name: str | None = None) -> np.ndarray:
        """Scores of a set, mean over draws, float64 (image,); higher = more OOD."""

    def draw_scores(self, run: Run, role: str, name: str | None = None, *, rows: Sequence[int]) -> np.ndarray:
        """Scores of some images in every draw, float64 (row, draw)."""

    def cost(self, run: Run) -> Cost:
        """Per image, with the run's draws (theory 19)."""


@dataclass(frozen=True)
class StoredCells:
    """The mean of the slot scores of some cells of the map (theory 4).

    Attributes:
        name: what people call it.
        cells: one or more.
    """

    name: str
    cells: tuple[Cell, ...]

    def scores(self, run: Run, role: str, name: str | None = None) -> np.ndarray:
        """As of ``StoredDetector``."""
        return compose(run.scores(role, name), self.cells)

    def draw_scores(self, run: Run, role: str, name: str | None = None, *, rows: Sequence[int]) -> np.ndarray:
        """As of ``StoredDetector``."""
        slots = run.scores(role, name)[list(rows)]
        return np.stack([compose(slots[:, m : m + 1], self.cells) for m in range(slots.shape[1])], axis=1)

    def cost(self, run: Run) -> Cost:
        """As of ``StoredDetector``."""
        return cells_cost(self.cells, run.taps, run.draws)


def cells_detector(run: Run, indices: Sequence[int], name: str = "") -> StoredCells:
    """The detector of these cells, by their numbers in the map."""
    return StoredCells(name, tuple(run.cell(index) for index in indices))


def stored_detectors(run: Run) -> dict[str, StoredDetector]:
    """Name -> detector, of all that the run's tables name; empty for a backbone without presets."""
    table = run.table("detectors")
    rows = table.drop_duplicates("name").to_dict("records") if len(table) else []
    return {row["name"]: cells_detector(run, row["cell_indices"], row["name"]) for row in rows}
