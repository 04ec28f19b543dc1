"""Sensitivity of a map to its levels: identical maps, permuted ones, and numbers by hand."""

import numpy as np
import pytest

from cfs_explore.diagnostics import ScoreError, auroc, map_agreement, sensitivity
from cfs_explore.diagnostics.checks import cell_rows
from cfs_explore.diagnostics.excess import Placed
from cfs_explore.diagnostics.metrics import paired_auroc_difference

LEVELS, TAPS = 3, 4
DEPTHS = [0.1, 0.4, 0.6, 1.0]
#: Shift of the OOD scores in each cell: the best one is level 1, tap 3.
SHIFTS = np.linspace(0, 1.4, LEVELS * TAPS).reshape(LEVELS, TAPS)[[0, 2, 1]]


def scored(shifts=SHIFTS, n_id=120, n_ood=100, seed=0):
    """Slot scores (n, 1, L, T) whose AUROC rises with the shift."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n_id + n_ood, 1, 1, 1))
    values = common + 0.5 * rng.normal(size=(n_id + n_ood, 1, *shifts.shape))
    return values[:n_id], values[n_id:] + shifts


def test_an_identical_map_has_not_moved():
    scores = scored()
    row = sensitivity(scores, scores, depths=DEPTHS, pair=(1, 3), main=1)
    assert (row["spearman"], row["spearman_lo"], row["spearman_hi"]) == pytest.approx((1, 1, 1))
    assert (row["moved_levels"], row["moved_depth"]) == (0, 0)
    assert (row["cost_of_moving"], row["cost_of_moving_lo"], row["cost_of_moving_hi"]) == (0, 0, 0)
    assert row["cfs_place"] == row["baseline_place"] and row["cells"] == LEVELS * TAPS
    assert (row["n_id"], row["n_ood"]) == (120, 100)


def test_a_permuted_map_moves_by_the_permutation():
    baseline = scored()
    variant = tuple(part[:, :, ::-1, ::-1] for part in baseline)  # levels and taps in reverse
    row = sensitivity(variant, baseline, depths=DEPTHS)
    assert (row["baseline_level"], row["baseline_tap"]) == (1, 3)
    assert (row["best_level"], row["best_tap"]) == (1, 0)
    assert row["moved_levels"] == 0 and row["moved_depth"] == pytest.approx(0.1 - 1.0)
    aurocs = Placed.of(*(cell_rows(part) for part in baseline)).judged.auroc
    ranks = np.argsort(np.argsort(aurocs))
    expected = np.corrcoef(ranks, ranks.reshape(LEVELS, TAPS)[::-1, ::-1].ravel())[0, 1]
    assert row["spearman"] == pytest.approx(expected)
    cells = [[part[:, 0, 1, tap] for part in baseline] for tap in (3, 0)]
    by_hand = paired_auroc_difference(*cells[0], *cells[1])
    found = row["cost_of_moving"], row["cost_of_moving_lo"], row["cost_of_moving_hi"]
    assert found == pytest.approx(by_hand[:3]) and row["cost_of_moving"] > 0


@pytest.mark.filterwarnings("error")
def test_a_variant_that_reaches_no_level_has_no_correlation():
    row = sensitivity(scored(seed=1), scored(seed=2), depths=DEPTHS, reachable=[False] * LEVELS)
    assert np.isnan([row["spearman"], row["spearman_lo"], row["spearman_hi"]]).all() and row["cells"] == 0


def test_detectors_by_hand():
    variant, baseline = scored(seed=1), scored(seed=2)
    row = sensitivity(variant, baseline, depths=DEPTHS, pair=(1, 3), main=2)
    cfs = [part[:, 0, 2, [1, 3]].mean(axis=1) for part in variant]
    dec = [part[:, 0, 2, 3] for part in variant]
    assert (row["cfs_auroc"], row["cfs_lo"], row["cfs_hi"]) == pytest.approx(tuple(auroc(*cfs)))
    assert row["dec_auroc"] == pytest.approx(auroc(*dec).value)
    found = row["cfs_minus_dec"], row["cfs_minus_dec_lo"], row["cfs_minus_dec_hi"]
    assert found == pytest.approx(paired_auroc_difference(*cfs, *dec)[:3])
    cells = [auroc(variant[0][:, 0, k, t], variant[1][:, 0, k, t]).value for k in range(LEVELS) for t in range(TAPS)]
    assert row["cfs_place"] == pytest.approx(np.mean(np.array(cells) < row["cfs_auroc"]))


def test_levels_out_of_reach_do_not_count_as_agreement():
    """A level that could not move is the baseline's own; over the others the order is reversed."""
    baseline = scored()
    variant = tuple(np.concatenate([part[:, :, :1], part[:, :, 1:, ::-1]], axis=2) for part in baseline)
    over_all = sensitivity(variant, baseline, depths=DEPTHS)
    moved = sensitivity(variant, baseline, depths=DEPTHS, reachable=[False, True, True])
    assert moved["cells"] == 2 * TAPS and moved["spearman"] < over_all["spearman"]


def test_without_a_pair_the_detectors_are_unknown():
    row = sensitivity(scored(), scored(seed=1), depths=DEPTHS)
    assert np.isnan([row["cfs_auroc"], row["cfs_minus_dec"], row["cfs_place"], row["baseline_place"]]).all()


def test_agreement_resamples_like_a_slow_bootstrap():
    """The first-order resamples spread the correlation about as whole ones do."""
    one, other = (tuple(cell_rows(part) for part in scored(seed=s)) for s in (3, 4))
    fast = map_agreement(Placed.of(*one), Placed.of(*other), resamples=400)
    rng, slow = np.random.default_rng(0), []
    for _ in range(200):
        drawn = rng.integers(0, 120, 120), rng.integers(0, 100, 100)
        maps = [Placed.of(rows[0][:, drawn[0]], rows[1][:, drawn[1]]).judged.auroc for rows in (one, other)]
        slow.append(np.corrcoef(*(np.argsort(np.argsort(values)) for values in maps))[0, 1])
    assert fast.lo == pytest.approx(np.quantile(slow, 0.025), abs=0.05)
    assert fast.lo < fast.value <= fast.hi


def test_a_constant_map_has_no_order():
    flat = np.zeros((4, 10)), np.zeros((4, 8))
    assert np.isnan(map_agreement(Placed.of(*flat), Placed.of(*flat))).all()


def test_one_ood_image_has_values():
    scores = tuple(part[:n] for part, n in zip(scored(), (20, 1), strict=True))
    row = sensitivity(scores, scores, depths=DEPTHS, pair=(0, 1))
    assert np.isfinite([row["cfs_auroc"], row["cfs_lo"], row["cfs_minus_dec_lo"], row["spearman"]]).all()


def test_maps_of_other_images_are_refused():
    with pytest.raises(ScoreError, match="baseline's images"):
        sensitivity(scored(), scored(n_id=90), depths=DEPTHS)
