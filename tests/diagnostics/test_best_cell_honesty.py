"""The honest best cell: 0.5 on noise, the truth where one cell is good."""

import numpy as np
import pytest

from cfs_explore.contracts import Cell
from cfs_explore.diagnostics import ScoreError, best_cell, delong
from cfs_explore.diagnostics.splits import draw_splits, split_aurocs


def noise(seed, n_id=80, n_ood=100, draws=1, levels=5, taps=8):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_id, draws, levels, taps)), rng.normal(size=(n_ood, draws, levels, taps))


def test_noise_is_worth_nothing():
    results = [best_cell(*noise(seed), repeats=8) for seed in range(150)]
    honest = [result.honest.value for result in results]
    naive = [result.naive.value for result in results]
    assert np.mean(honest) == pytest.approx(0.5, abs=4 * np.std(honest) / np.sqrt(150))
    assert np.mean(honest) == pytest.approx(0.5, abs=0.01)
    assert np.mean(naive) > 0.57
    covered = np.mean([result.honest.lo <= 0.5 <= result.honest.hi for result in results])
    assert covered >= 0.93
    naive_covered = np.mean([result.naive.lo <= 0.5 <= result.naive.hi for result in results])
    assert naive_covered < 0.6


def test_a_good_cell_is_found():
    id_scores, ood_scores = noise(1, n_id=300, n_ood=400, draws=2)
    ood_scores[:, :, 3, 5] += 1.5  # AUROC of the mean of two draws: Phi(1.5) = 0.933
    result = best_cell(id_scores, ood_scores)
    assert result.naive_cell == Cell(3, 5)
    assert result.picks.loc[0, ["level", "tap", "picked"]].tolist() == [3, 5, 1000]
    assert result.honest.lo < 0.933 < result.honest.hi
    assert result.honest.value == pytest.approx(result.naive.value, abs=0.003)
    assert result.split_sd < 0.01


def test_picks_count_every_direction():
    result = best_cell(*noise(2), repeats=7, seed=3)
    assert result.picks["picked"].sum() == 14
    assert result.picks["share"].sum() == pytest.approx(1)
    assert result.picks["picked"].is_monotonic_decreasing
    again = best_cell(*noise(2), repeats=7, seed=3)
    assert again.honest == result.honest
    assert best_cell(*noise(2), repeats=7, seed=4).honest != result.honest


def test_odd_counts_and_one_split():
    result = best_cell(*noise(5, n_id=5, n_ood=7), repeats=1)
    assert 0 <= result.honest.lo <= result.honest.value <= result.honest.hi <= 1
    assert np.isnan(result.split_sd)


def test_too_few_images():
    with pytest.raises(ScoreError, match="at least 4"):
        best_cell(*noise(0, n_id=3))
    with pytest.raises(ScoreError, match="repeats = 0"):
        best_cell(*noise(0), repeats=0)


@pytest.mark.parametrize("decimals", [None, 0])
def test_splits_are_those_of_the_slow_way(decimals):
    rng = np.random.default_rng(0)
    id_rows, ood_rows = rng.normal(size=(5, 31)), rng.normal(0.5, 1, size=(5, 24))
    if decimals is not None:
        id_rows, ood_rows = id_rows.round(decimals), ood_rows.round(decimals)
    splits = draw_splits(31, 24, 70, seed=1)
    assert (splits.id.sum(axis=1) == 16).all() and (splits.ood.sum(axis=1) == 12).all()
    first, second = split_aurocs(id_rows, ood_rows, splits)
    for index in (0, 33, 69):
        for masks, got in (((splits.id, splits.ood), first), ((~splits.id, ~splits.ood), second)):
            expected = delong(id_rows[:, masks[0][index]], ood_rows[:, masks[1][index]]).auroc
            np.testing.assert_allclose(got[:, index], expected, atol=1e-12)


def test_another_seed_leaves_the_printed_digits():
    """Theory (29): the third digit moves by one at most, where a best cell is picked at all."""
    id_scores, ood_scores = noise(9, n_id=400, n_ood=250)
    ood_scores += np.linspace(0.3, 1.2, 40).reshape(5, 8)
    values = [best_cell(id_scores, ood_scores, seed=seed).honest for seed in range(4)]
    assert np.ptp(np.array(values), axis=0).max() < 1.5e-3
