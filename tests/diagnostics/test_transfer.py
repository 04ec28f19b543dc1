"""Transfer between backbones: known truths, a slow reference of one split, and no optimism from shared images."""

import numpy as np
import pytest

from cfs_explore.contracts import Level, Tap
from cfs_explore.diagnostics.metrics import auroc
from cfs_explore.diagnostics.regret import ALL_SETS
from cfs_explore.diagnostics.splits import draw_splits
from cfs_explore.diagnostics.transfer import SPLITS, SetRows, matched_cells, reference_rows, transfer_rows


def scores(rng, shifts, n_id=80, n_ood=60, noise=None):
    """Normal scores (cells, n) of ID and OOD images; noise: (cells, n_id + n_ood), that backbones may share."""
    noise = rng.standard_normal((len(shifts), n_id + n_ood)) if noise is None else noise
    return noise[:, :n_id], noise[:, n_id:] + np.asarray(shifts)[:, None]


def rows_of(*sets, seed=0):
    return {f"set {s}": SetRows.of(*pair, None, seed) for s, pair in enumerate(sets)}


def test_one_split_is_that_of_plain_formulas():
    rng = np.random.default_rng(0)
    a, b = (scores(rng, rng.uniform(0, 1, 6)) for _ in range(2))
    table = transfer_rows(rows_of(a), rows_of(b), np.array([[0, 1, 2], [3, 4, 5]]), None).set_index("ood")
    splits, lost = draw_splits(80, 60, SPLITS, 0), []
    for ids, oods in zip(splits.id, splits.ood, strict=True):
        for choose, judge in (((ids, oods), (~ids, ~oods)), ((~ids, ~oods), (ids, oods))):
            worth = [[auroc(p[0][c][part[0]], p[1][c][part[1]]).value for c in range(6)]
                     for p, part in ((a, choose), (b, choose), (b, judge))]  # fmt: skip
            lost.append(worth[2][int(np.argmax(worth[1]))] - worth[2][3 + int(np.argmax(worth[0][:3]))])
    assert table.loc["set 0", "loss"] == pytest.approx(np.mean(lost))
    assert table.loc[ALL_SETS, "loss"] == pytest.approx(np.mean(lost))


def test_the_same_maps_lose_nothing_and_agree():
    rng = np.random.default_rng(1)
    shifts = np.linspace(0, 2, 8)
    a, b = (rows_of(*(scores(rng, shifts) for _ in range(3))) for _ in range(2))
    mean = transfer_rows(a, b, np.array([np.arange(8)] * 2), None).set_index("ood").loc[ALL_SETS]
    assert mean["loss_lo"] <= 0.02 and abs(mean["loss"]) < 0.05 and mean["spearman"] > 0.8 and mean["gain"] > 0.1


def test_opposite_maps_lose_what_a_random_cell_does_not():
    rng = np.random.default_rng(2)
    shifts = np.linspace(0, 2, 8)
    a, b = rows_of(scores(rng, shifts[::-1])), rows_of(scores(rng, shifts))
    cells = np.array([np.arange(8)] * 2)
    found = transfer_rows(a, b, cells, None).set_index("ood").loc["set 0"]
    random = reference_rows(b, None, None).set_index("ood").loc["set 0"]
    assert found["spearman"] < -0.8 and found["loss_lo"] > random["loss_hi"] > 0 and found["gain_hi"] < 0


def test_noise_that_backbones_share_is_no_agreement():
    """Two maps without any signal, of the same images and with the same noise: nothing is to be transferred."""
    rng, found = np.random.default_rng(3), []
    for seed in range(20):
        noise = rng.standard_normal((8, 140))
        a, b = (rows_of(scores(rng, np.zeros(8), noise=noise), seed=seed) for _ in range(2))
        found.append(transfer_rows(a, b, np.array([np.arange(8)] * 2), None).iloc[0]["spearman"])
    assert np.mean(found) < 0.05


def test_limits_hold_the_true_loss():
    """A fixed cell against a far better one, which every half finds: the loss is that of two known AUROCs."""
    from scipy.stats import norm

    rng, hits, trials = np.random.default_rng(4), 0, 120
    true = norm.cdf(2 / 2**0.5) - norm.cdf(0.5 / 2**0.5)
    for seed in range(trials):
        found = reference_rows(rows_of(scores(rng, [2.0, 0.5]), seed=seed), 1, None).iloc[0]
        hits += found["loss_lo"] <= true <= found["loss_hi"]
    assert 0.89 <= hits / trials <= 0.99


def test_cells_match_by_region_depth_and_level():
    def tap(name, region, depth):
        return Tap(name, region, depth, 8, 4, "conv")

    def level(lam):
        return Level(lam, lam, 0.9, 0.1, lam)

    source = [level(5.0), level(1.0)], [tap("a", "encoder", 0.2), tap("b", "decoder", 0.8)]
    target = [level(5.1)], [tap("x", "encoder", 0.25), tap("y", "encoder", 0.6), tap("z", "decoder", 0.7)]
    assert matched_cells(source, target).tolist() == [[0, 1], [0, 2]]
