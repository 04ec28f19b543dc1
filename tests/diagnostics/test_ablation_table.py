"""The ablation: nested levels, and every number against one detector composed and judged at a time."""

import numpy as np
import pytest

from cfs_explore.contracts import Cell
from cfs_explore.diagnostics import ScoreError, auroc, compose
from cfs_explore.diagnostics.ablation import ablation_table, nested_levels

LAMS = [9.2, 7.0, 5.0, 3.1, 1.0]


def some_scores(n, shift, seed, draws=5):
    return np.random.default_rng(seed).gamma(2, size=(n, draws, 4, 3)) + shift


def test_levels_are_nested_around_the_main_one():
    assert nested_levels(LAMS, 2, (1, 2, 4)) == {1: [2], 2: [2, 3], 4: [1, 2, 3, 4]}
    assert nested_levels(LAMS, 0, (1, 2, 4)) == {1: [0], 2: [0, 1], 4: [0, 1, 2, 3]}
    assert nested_levels(LAMS[:3], 1, (1, 2, 4)) == {1: [1], 2: [1, 2]}


def test_against_composed_detectors():
    id_scores, ood_scores = some_scores(40, 0, 0), some_scores(30, 0.4, 1)
    level_sets, tap_sets = {1: [1], 2: [1, 3]}, {"decoder": [2], "pair": [0, 2]}
    table = ablation_table(id_scores, ood_scores, level_sets, tap_sets)
    assert len(table) == 4 and set(table["draws"]) == {5} and set(table["n_ood"]) == {30}
    for row in table.to_dict("records"):
        cells = [Cell(k, t) for k in level_sets[row["levels"]] for t in tap_sets[row["taps"]]]
        of_draw = [
            auroc(*(compose(scores[:, m : m + 1], cells) for scores in (id_scores, ood_scores))).value for m in range(5)
        ]
        assert row["auroc"] == pytest.approx(np.mean(of_draw))
        assert row["sd"] == pytest.approx(np.std(of_draw, ddof=1))
        assert row["n_taps"] == len(tap_sets[row["taps"]]) and row["lo"] < row["auroc"] < row["hi"]


def test_one_draw_has_no_spread_and_delongs_interval():
    id_scores, ood_scores = some_scores(40, 0, 0, draws=1), some_scores(30, 0.4, 1, draws=1)
    (row,) = ablation_table(id_scores, ood_scores, {1: [1]}, {"all": [0, 1, 2]}).to_dict("records")
    cells = [Cell(1, t) for t in range(3)]
    assert np.isnan(row["sd"])
    assert (row["auroc"], row["lo"], row["hi"]) == pytest.approx(
        auroc(compose(id_scores, cells), compose(ood_scores, cells))
    )


def test_no_cells():
    with pytest.raises(ScoreError, match="a level and a tap"):
        ablation_table(some_scores(4, 0, 0), some_scores(4, 0, 1), {1: [0]}, {"none": []})
