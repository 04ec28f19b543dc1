"""Many random halves of the images at once: what each cell is worth on a half, and on the other one (theory 3).

Each cell is sorted once. The ID images of a half that are below an OOD image are then a running count along the sorted
ID scores, so a split costs sums and no sorting, and enough splits are drawn for the printed digits to stand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from cfs_explore.diagnostics.groups import Groups, taken
from cfs_explore.diagnostics.parallel import blocks, thread_map

#: Splits that a value is averaged over, and how many of them estimate its variance, which needs fewer.
SPLITS, VARIANCE_SPLITS = 500, 20
#: A half must hold two images of each class, or it has no variance.
FEWEST = 4
#: Splits at a time: their counts of one cell stay in a core's cache.
_BLOCK = 64


class Splits(NamedTuple):
    """Random halves: True for images of the first one, (splits, n_id) and (splits, n_ood); groups that stay whole."""

    id: np.ndarray
    ood: np.ndarray
    groups: Groups | None = None


class Half(NamedTuple):
    """Positions of the ID and the OOD images of a half, and their groups."""

    id: np.ndarray
    ood: np.ndarray
    groups: Groups | None


class Picked(NamedTuple):
    """The cell that is best on one half, judged on the other; both directions, (splits, 2) each.

    Attributes:
        cell: its position.
        auroc: on the half that did not pick it.
    """

    cell: np.ndarray
    auroc: np.ndarray


def draw_splits(n_id: int, n_ood: int, count: int, seed: int, groups: Groups | None = None) -> Splits:
    """Halves of both sets; of an odd number, the first half has one image more. Groups stay together."""
    rng = np.random.default_rng(seed)
    if groups is not None:
        return Splits(*groups.halves(count, rng), groups)
    return Splits(*(_halves(n, count, rng) for n in (n_id, n_ood)))


def random_halves(
    n_id: int, n_ood: int, groups: Groups | None, rng: np.random.Generator
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Positions of the ID and of the OOD images of two halves. Groups stay together."""
    if groups is not None:
        ids, oods = (part[0] for part in groups.halves(1, rng))
        return [(np.flatnonzero(ids), np.flatnonzero(oods)), (np.flatnonzero(~ids), np.flatnonzero(~oods))]
    ids, oods = np.array_split(rng.permutation(n_id), 2), np.array_split(rng.permutation(n_ood), 2)
    return list(zip(ids, oods, strict=True))


class SplitPool(NamedTuple):
    """Cells to choose from: their scores, and what each is worth on both halves of every split.

    Attributes:
        id, ood: scores, (cells, n_id) and (cells, n_ood).
        first, second: AUROC on the halves, (cells, splits) each.
    """

    id: np.ndarray
    ood: np.ndarray
    first: np.ndarray
    second: np.ndarray

    @classmethod
    def of(cls, id_rows: np.ndarray, ood_rows: np.ndarray, splits: Splits) -> SplitPool:
        """Of scores (cells, n_id) and (cells, n_ood), higher = more OOD."""
        return cls(id_rows, ood_rows, *split_aurocs(id_rows, ood_rows, splits))

    def at(self, cells: np.ndarray) -> SplitPool:
        """Some of the cells, by position or (cells,) bool."""
        return SplitPool(*(part[cells] for part in self))

    @property
    def best(self) -> Picked:
        """The best cell of each half on the other half."""
        return best_of_halves(self.first, self.second)


def best_of_halves(first: np.ndarray, second: np.ndarray) -> Picked:
    """The best cell of each half on the other half, from what each is worth on both halves, (cells, splits) each."""
    cells = np.stack([first.argmax(axis=0), second.argmax(axis=0)], axis=1)
    at = np.arange(len(cells))
    return Picked(cells, np.stack([second[cells[:, 0], at], first[cells[:, 1], at]], axis=1))


def pick_best(id_rows: np.ndarray, ood_rows: np.ndarray, splits: Splits) -> Picked:
    """The best cell of each half on the other half; scores as for ``SplitPool.of``."""
    return SplitPool.of(id_rows, ood_rows, splits).best


def split_aurocs(id_rows: np.ndarray, ood_rows: np.ndarray, splits: Splits) -> tuple[np.ndarray, np.ndarray]:
    """AUROC of each cell on both halves of each split, (cells, splits) each; ties count 1/2."""
    found = np.empty((2, len(id_rows), len(splits.id)))

    def some(rows: slice) -> None:
        for row in range(rows.start, rows.stop):
            found[:, row] = _of_cell(id_rows[row], ood_rows[row], splits)

    thread_map(some, blocks(len(id_rows), max(1, -(-len(id_rows) // 8))))
    return found[0], found[1]


def judging_variances(splits: Splits, judge: Callable[[tuple[int, int], Half], Sequence[np.ndarray]]) -> np.ndarray:
    """Variances of the mean of both directions, (V_1 + V_2) / 4, averaged over the first splits; (values, cells).

    Args:
        splits: of which the first ``VARIANCE_SPLITS`` are used.
        judge: called with (split, direction), the place of what was picked in ``Picked.cell``, and with the half that
            judges; gives the variances on it, (cells,) each.
    """
    found = []
    for index in range(min(len(splits.id), VARIANCE_SPLITS)):
        ids, oods = splits.id[index], splits.ood[index]
        for direction, half in enumerate(((~ids, ~oods), (ids, oods))):
            places = tuple(map(np.flatnonzero, half))
            found.append(judge((index, direction), Half(*places, taken(splits.groups, *places))))
    return np.mean(found, axis=0) / 2


def _halves(n: int, count: int, rng: np.random.Generator) -> np.ndarray:
    order = rng.permuted(np.broadcast_to(np.arange(n), (count, n)), axis=1)
    return order < -(-n // 2)


def _of_cell(id_row: np.ndarray, ood_row: np.ndarray, splits: Splits) -> np.ndarray:
    """(2, splits): AUROC of one cell on the first halves and on the second ones."""
    order = np.argsort(id_row)
    ordered = id_row[order]
    below, upto = np.searchsorted(ordered, ood_row, "left"), np.searchsorted(ordered, ood_row, "right")
    tied = (below != upto).any()
    everyone = (below + upto) / 2
    m, n = id_row.size, ood_row.size
    out = np.empty((2, len(splits.id)))
    for part in blocks(len(splits.id), _BLOCK):
        counts = np.zeros((part.stop - part.start, m + 1), dtype=np.int32)
        np.cumsum(splits.id[part][:, order], axis=1, out=counts[:, 1:])
        first = counts[:, below] if not tied else (counts[:, below] + counts[:, upto]) / 2
        mask = splits.ood[part]
        n_first, m_first = np.count_nonzero(mask, axis=1), counts[:, -1].astype(np.int64)
        pairs_first, pairs_second = m_first * n_first, (m - m_first) * (n - n_first)
        out[0, part] = np.einsum("sj,sj->s", mask, first, dtype=np.float64) / np.maximum(pairs_first, 1)
        out[1, part] = np.einsum("sj,sj->s", ~mask, everyone - first, dtype=np.float64) / np.maximum(pairs_second, 1)
    return out
