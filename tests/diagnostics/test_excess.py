"""Excess over a control: against DeLong's covariance, a slow bootstrap, and known truths."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cfs_explore.diagnostics import ScoreError, auroc_excess, best_cell, best_excess, delong, delong_covariance
from cfs_explore.diagnostics.metrics import paired_auroc_difference


def scored(shift, *, cells=3, n_id=60, n_ood=45, seed=0, common=0.7):
    """Trained scores and two copies: (cells, n) each, sharing a part that makes them correlated."""
    rng = np.random.default_rng(seed)
    shared_id, shared_ood = rng.normal(size=(cells, n_id)), rng.normal(size=(cells, n_ood))

    def one(mean):
        return (
            common * shared_id + rng.normal(size=(cells, n_id)),
            common * shared_ood + rng.normal(size=(cells, n_ood)) + mean,
        )

    return one(1.0 + shift), [one(1.0), one(1.0)]


def test_excess_is_the_contrast_of_delongs_covariance():
    trained, copies = scored(0.8)
    frame = auroc_excess(trained, copies)
    contrast = np.array([1, -0.5, -0.5])
    for cell, row in frame.iterrows():
        stacked = [np.stack([pair[side][cell] for pair in (trained, *copies)]) for side in (0, 1)]
        value, covariance = delong_covariance(*stacked)
        images, seeds = contrast @ covariance @ contrast, np.var(value[1:], ddof=1) / 2
        sd, freedom = np.sqrt(images + seeds), (images + seeds) ** 2 / seeds**2
        half = stats.t.ppf(0.975, freedom) * sd
        assert row.excess == pytest.approx(contrast @ value) and row.trained == pytest.approx(value[0])
        assert row.control_auroc == pytest.approx(value[1:].mean())
        assert row.seed_sd == pytest.approx(np.std(value[1:], ddof=1))
        assert (row.lo, row.hi) == pytest.approx((row.excess - half, row.excess + half), abs=0.2 * half)


def test_one_copy_is_the_paired_delong_test():
    trained, copies = scored(0.3)
    frame = auroc_excess(trained, copies[:1])
    for cell, row in frame.iterrows():
        paired = paired_auroc_difference(trained[0][cell], trained[1][cell], copies[0][0][cell], copies[0][1][cell])
        assert (row.excess, row.lo, row.hi, row.p) == pytest.approx(tuple(paired))
    assert frame["seed_sd"].isna().all()


def test_interval_agrees_with_a_slow_bootstrap():
    trained, copies = scored(0.5, cells=1, n_id=150, n_ood=120, seed=3)
    row = auroc_excess(trained, copies[:1]).iloc[0]
    rng, values = np.random.default_rng(1), []
    for _ in range(1500):
        i, j = rng.integers(0, 150, 150), rng.integers(0, 120, 120)
        value = [delong(a[:, i], b[:, j]).auroc[0] for a, b in (trained, *copies)]
        values.append(value[0] - value[1])
    lo, hi = np.quantile(values, [0.025, 0.975])
    assert (row.lo, row.hi) == pytest.approx((lo, hi), abs=0.15 * (hi - lo))


def test_interval_covers_the_truth():
    """Two scores of equal worth: the interval contains 0 in about 95 of 100 experiments."""
    frames = [auroc_excess(*scored(0.0, cells=20, seed=seed)) for seed in range(25)]
    frame = pd.concat(frames)
    assert 0.92 < ((frame.lo <= 0) & (frame.hi >= 0)).mean() < 0.98
    assert (frame.p < 0.05).mean() == pytest.approx(1 - ((frame.lo <= 0) & (frame.hi >= 0)).mean(), abs=0.01)


def test_the_spread_of_random_copies_is_part_of_the_interval():
    """Copies of unlike worth: their mean is known no better than five draws tell it (theory 29)."""
    rng = np.random.default_rng(0)
    covered, wide = [], []
    for _ in range(200):
        means = 1.0 + 0.6 * rng.normal(size=6)  # the first stands for one more copy: no excess but by chance
        id_rows, ood_rows = rng.normal(size=(6, 1, 300)), rng.normal(size=(6, 1, 300)) + means[:, None, None]
        ood_rows[0] += 1.0 - means[0]
        copies = [(id_rows[k], ood_rows[k]) for k in range(1, 6)]
        row = auroc_excess((id_rows[0], ood_rows[0]), copies).iloc[0]
        truth = 0.7602 - 0.7425  # AUROC of a shift of 1, and its mean over shifts 1 + 0.6 N(0, 1)
        covered.append(row.lo <= truth <= row.hi)
        wide.append(row.hi - row.lo)
    assert 0.91 <= np.mean(covered) <= 0.99
    one = auroc_excess((id_rows[0], ood_rows[0]), copies[:1]).iloc[0]
    assert np.mean(wide) > 1.5 * (one.hi - one.lo)  # what the images alone tell


def test_a_control_that_is_the_trained_map_has_no_excess():
    trained, _ = scored(0.5)
    frame = auroc_excess(trained, [trained, trained])
    assert (frame["excess"] == 0).all() and (frame["p"] == 1).all()
    assert (frame["lo"] == 0).all() and (frame["hi"] == 0).all() and (frame["seed_sd"] == 0).all()


def test_perfect_separation_on_both_sides_claims_no_certainty():
    id_rows, ood_rows = np.arange(30.0)[None], np.arange(100.0, 125)[None]
    row = auroc_excess((id_rows, ood_rows), [(id_rows, ood_rows[:, ::-1])]).iloc[0]
    assert row.excess == 0 and row.lo < -0.05 and row.hi > 0.05 and row.p == 1


def test_constant_scores_are_chance_with_a_wide_interval():
    flat = (np.zeros((1, 30)), np.zeros((1, 25)))
    row = auroc_excess((np.arange(30.0)[None], np.arange(100.0, 125)[None]), [flat]).iloc[0]
    assert row.excess == 0.5 and row.lo < 0.5 <= row.hi


def test_one_ood_image_gives_a_value_and_a_wide_interval():
    trained, copies = scored(0.5, n_ood=1)
    frame = auroc_excess(trained, copies)
    assert np.isfinite(frame[["excess", "lo", "hi", "p"]]).all(axis=None) and (frame.hi - frame.lo > 0.5).all()


def test_other_images_or_no_copy_are_refused():
    trained, copies = scored(0.5)
    with pytest.raises(ScoreError, match="at least one copy"):
        auroc_excess(trained, [])
    with pytest.raises(ScoreError, match="at least one copy"):
        auroc_excess(trained, [(copies[0][0][:, :-1], copies[0][1])])


def as_map(rows):
    """(cells, n) -> slot scores (n, 1, 1, cells)."""
    return rows.T[:, None, None, :]


def test_the_trained_side_is_the_honest_best_cell():
    trained, copies = scored(0.5, cells=6)
    row = best_excess(trained, {"untrained": copies}).iloc[0]
    expected = best_cell(as_map(trained[0]), as_map(trained[1]))
    assert (row.trained, row.trained_lo, row.trained_hi) == pytest.approx(tuple(expected.honest))
    controls = [best_cell(as_map(a), as_map(b)).honest.value for a, b in copies]
    assert row.auroc == pytest.approx(np.mean(controls)) and row.excess == pytest.approx(row.trained - row.auroc)


def test_best_against_best_does_not_flatter_the_trained_side():
    """A control whose signal sits in another cell is as good; cell by cell it would look worse."""
    rng = np.random.default_rng(4)
    id_rows, ood_rows = rng.normal(size=(2, 200)), rng.normal(size=(2, 200))
    ood_rows[0] += 1.5
    moved = (rng.normal(size=(2, 200)), rng.normal(size=(2, 200)) + np.array([[0.0], [1.5]]))
    by_cell = auroc_excess((id_rows, ood_rows), [moved])
    assert by_cell["lo"].iloc[0] > 0.2
    row = best_excess((id_rows, ood_rows), {"control": [moved]}).iloc[0]
    assert row.lo < 0 < row.hi and abs(row.excess) < 0.08


def test_a_control_without_a_choice_is_judged_on_all_images():
    trained, copies = scored(0.5, cells=4)
    single = tuple(part[:1] for part in copies[0])
    row = best_excess(trained, {"fixed": [single]}).iloc[0]
    assert row.auroc == pytest.approx(delong(*single).auroc[0], abs=1e-12)


def test_identical_pools_have_no_excess():
    trained, _ = scored(0.5, cells=4)
    row = best_excess(trained, {"same": [trained, trained]}).iloc[0]
    assert (row.excess, row.lo, row.hi, row.p) == (0, 0, 0, 1)


def test_too_few_images_give_nan_and_an_empty_pool_is_refused():
    trained, copies = scored(0.5, n_ood=3)
    frame = best_excess(trained, {"untrained": copies})
    assert list(frame["control"]) == ["untrained"] and frame.drop(columns="control").isna().all(axis=None)
    assert list(frame) == list(best_excess(*(lambda t, c: (t, {"untrained": c}))(*scored(0.5))))
    with pytest.raises(ScoreError, match="needs at least one cell"):
        best_excess(trained, {"untrained": []})
