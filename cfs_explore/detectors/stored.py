"""Detectors whose scores a finished run holds: what pages, figures and tables call one, whatever it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from cfs_explore.contracts import Cell, Cost
from cfs_explore.diagnostics.compose import cells_cost, compose
from cfs_explore.store import Run


class Stored(Protocol):
    """Scores of a run's images without a forward.

    Attributes:
        name: what people call it.
    """

    name: str

    def scores(self, run: Run, role: str, name: str | None = None) -> np.ndarray:
        """Scores of a set, float64 (image,); higher = more OOD."""

    def rows(self, run: Run, role: str, name: str | None = None) -> np.ndarray:
        """Positions in the set of the images that it scores, rising, (image,)."""


@dataclass(frozen=True)
class StoredCells:
    """The mean of the slot scores of some cells of the map (theory 4), over the run's draws, of every image.

    Attributes:
        name: as of ``Stored``.
        cells: one or more.
    """

    name: str
    cells: tuple[Cell, ...]

    def scores(self, run: Run, role: str, name: str | None = None) -> np.ndarray:
        return compose(run.scores(role, name), self.cells)

    def rows(self, run: Run, role: str, name: str | None = None) -> np.ndarray:
        return np.arange(run.entry(role, name).count)

    def cost(self, run: Run) -> Cost:
        """Per image, with the run's draws (theory 19)."""
        return cells_cost(self.cells, run.taps, run.draws)


def cells_detector(run: Run, indices: Sequence[int], name: str = "") -> StoredCells:
    """The detector of these cells, by their numbers in the map."""
    return StoredCells(name, tuple(run.cell(index) for index in indices))


@dataclass(frozen=True)
class Measured:
    """A detector that the stage ``detectors`` measured, with one draw, on a sample of each set's images.

    Attributes:
        name: as of ``Stored``.
        detector: its name in the registry.
    """

    name: str
    detector: str

    def scores(self, run: Run, role: str, name: str | None = None) -> np.ndarray:
        return self._of_set(run, role, name)["score"].to_numpy(dtype=np.float64)

    def rows(self, run: Run, role: str, name: str | None = None) -> np.ndarray:
        return self._of_set(run, role, name)["row"].to_numpy()

    def _of_set(self, run: Run, role: str, name: str | None) -> pd.DataFrame:
        table, dataset = run.derived(_trained_scores), run.entry(role, name).name
        return table[(table["detector"] == self.detector) & (table["role"] == role) & (table["dataset"] == dataset)]


def measured_detectors(run: Run) -> dict[str, str]:
    """Name -> title of the detectors that the run measured beside CFS; none where the stage has not run."""
    return run.derived(_measured_detectors)


def titles(run: Run) -> dict[str, str]:
    """Name -> title of all detectors that the stage tried; with the variant where several have one title."""
    return run.derived(_titles)


def _titles(run: Run) -> dict[str, str]:
    known = run.table("falsifier").drop_duplicates("detector")
    shared = known["title"].duplicated(keep=False)
    variants = known["variant"].str.split("[,;]", regex=True).str[0]
    named = known["title"].mask(shared, known["title"] + " (" + variants + ")")
    return dict(zip(known["detector"], named, strict=True))


def _measured_detectors(run: Run) -> dict[str, str]:
    if not run.has_table("falsifier"):
        return {}
    table = run.table("falsifier")
    known = table[(table["network"] == "trained") & (table["kind"] != "cfs") & table["auroc"].notna()]
    return {name: title for name, title in titles(run).items() if name in set(known["detector"])}


def _trained_scores(run: Run) -> pd.DataFrame:
    """Of all detectors, since the table is long to read."""
    table = run.table("detector_scores")
    return table[table["network"] == "trained"]
