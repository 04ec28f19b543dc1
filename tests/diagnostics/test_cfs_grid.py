"""The grid of CFS(K x L) that detectors are compared with."""

import numpy as np
import pytest

from cfs_explore.contracts import Cell, Tap
from cfs_explore.diagnostics import compose
from cfs_explore.diagnostics.cfs_grid import Grid

TAPS = [Tap("down", "encoder", 0.2, 4, 8), Tap("mid", "bottleneck", 0.5, 2, 8), Tap("up", "decoder", 0.9, 4, 8)]
#: By hand: each tap alone and the encoder's with the decoder's, at each of three levels alone, at the two ends, at all
#: three, and at the two cleanest.
BY_HAND = [
    [(level, tap) for level in levels for tap in taps]
    for levels in ([0], [1], [2], [0, 2], [0, 1, 2], [0, 1])
    for taps in ([0], [1], [2], [0, 2])
]


def test_the_candidates_of_a_small_map_are_those_by_hand():
    grid = Grid.of(3, TAPS)
    found = [grid.cells(candidate) for candidate in range(len(grid.forwards))]
    assert found == [[Cell(*cell) for cell in cells] for cells in BY_HAND]
    assert grid.forwards.tolist() == [len({level for level, _ in cells}) for cells in BY_HAND]


def test_candidates_score_what_composed_cells_do():
    slots = np.random.default_rng(11).gamma(2, size=(40, 1, 3, 3)).astype(np.float32)  # (image, draw, level, tap)
    grid = Grid.of(3, TAPS)
    scores = grid.scores(slots[:, 0].transpose(1, 2, 0))
    assert scores.shape == (24, 40) and scores.dtype == np.float64
    for candidate, row in enumerate(scores):
        np.testing.assert_allclose(row, compose(slots, grid.cells(candidate)), rtol=1e-12)


@pytest.mark.parametrize(("levels", "sets"), [(1, 1), (2, 3), (4, 4 + 3 + 2), (20, 20 + 19 + 18)])
def test_no_set_of_levels_is_there_twice(levels, sets):
    grid = Grid.of(levels, TAPS)
    assert len(grid.levels) == len(set(grid.levels)) == sets
    assert all(list(each) == sorted(set(each)) and each[-1] < levels for each in grid.levels)
    assert max(grid.forwards) == levels


def test_a_map_without_pairs_has_single_taps():
    assert Grid.of(1, TAPS[:2]).taps == ((0,), (1,))
