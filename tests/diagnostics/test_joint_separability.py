"""Theory (5) to (7) against the matrix form, their identities, and intervals where the truth is known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cfs_explore.diagnostics import ScoreError, joint_separability, separability
from cfs_explore.diagnostics.bootstrap import standing_decimals


def slow_moments(id_pair, ood_pair):
    """delta (2,) and S (2, 2) of one pair, images last."""
    covariances = [np.cov(part) for part in (id_pair, ood_pair)]
    return ood_pair.mean(axis=1) - id_pair.mean(axis=1), (covariances[0] + covariances[1]) / 2


@pytest.fixture
def scores():
    """Right-skewed scores of 30 pairs, some far from zero: (pairs, n) each of ID e, d and OOD e, d."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(30, 2, 2))
    scale = 10.0 ** rng.uniform(-2, 3, size=(30, 1, 1))
    parts = [np.exp(mixing @ rng.normal(size=(30, 2, n)) * 0.4 + shift) * scale for n, shift in ((70, 0), (45, 0.4))]
    return [part[:, side] for part in parts for side in (0, 1)]


def test_against_the_matrix_form(scores):
    table = joint_separability(*scores, resamples=20)
    for row, id_e, id_d, ood_e, ood_d in zip(table.itertuples(), *scores, strict=True):
        delta, s = slow_moments(np.stack([id_e, id_d]), np.stack([ood_e, ood_d]))
        joint = delta @ np.linalg.solve(s, delta)
        alone = delta**2 / np.diag(s)
        assert row.d2 == pytest.approx(joint, rel=1e-9)
        assert (row.d2_e, row.d2_d) == pytest.approx(tuple(alone), rel=1e-9)
        assert row.gain_d == pytest.approx(joint - alone[0], rel=1e-7, abs=1e-9)
        assert row.gain_e == pytest.approx(joint - alone[1], rel=1e-7, abs=1e-9)
        assert row.d2_avg == pytest.approx(delta.sum() ** 2 / s.sum(), rel=1e-9)
        assert row.realised == pytest.approx(row.d2_avg / joint, rel=1e-9)
        assert row.gain_d == pytest.approx(row.shift_d**2)
        slope = s[0, 1] / s[0, 0]
        assert np.sign(row.shift_d) == np.sign(delta[1] - slope * delta[0])


def test_gains_are_never_negative_and_the_average_never_beats_the_best(scores):
    rng = np.random.default_rng(1)
    root = rng.normal(size=(5000, 2, 2))
    value = separability(rng.normal(size=(5000, 2)), root @ root.transpose(0, 2, 1))
    for alone in (value.alone_e, value.alone_d, value.average):
        assert (value.d2 - alone**2 >= -1e-9 * value.d2).all()
    np.testing.assert_allclose(value.d2, value.alone_e**2 + value.shift_d**2, rtol=1e-7)
    np.testing.assert_allclose(value.d2, value.alone_d**2 + value.shift_e**2, rtol=1e-7)
    np.testing.assert_allclose(value.d2, value.average**2 + value.rest**2, rtol=1e-7)


def test_the_average_beats_the_encoder_iff_its_distance_is_larger(scores):
    """d' of the averaged scores themselves, against the encoder's: what (7) promises."""
    id_e, id_d, ood_e, ood_d = scores
    table = joint_separability(*scores, resamples=20)
    distances = []
    for ids, oods in ((id_e, ood_e), (id_d, ood_d), ((id_e + id_d) / 2, (ood_e + ood_d) / 2)):
        spread = (ids.var(axis=1, ddof=1) + oods.var(axis=1, ddof=1)) / 2
        distances.append((oods.mean(axis=1) - ids.mean(axis=1)) ** 2 / spread)
    np.testing.assert_allclose(table["d2_avg"], distances[2], rtol=1e-9)
    assert (table["avg_beats_e"] == (distances[2] > distances[0])).all()
    assert (table["avg_beats_d"] == (distances[2] > distances[1])).all()
    assert 0 < table["avg_beats_e"].mean() < 1


@pytest.mark.parametrize(("delta", "rho"), [((1, 1.5), 0.8), ((1, 0.8), 0.8), ((0.5, 0.5), 0.8), ((0, 0), 0.5)])
def test_intervals_cover_the_truth(delta, rho):
    """Normal scores, also where a gain is exactly 0: a bootstrap of the gain itself would never cover that."""
    rng = np.random.default_rng(2)
    s = np.array([[1, rho], [rho, 1]])
    root = np.linalg.cholesky(s)
    ids = root @ rng.normal(size=(400, 2, 160))
    oods = root @ rng.normal(size=(400, 2, 120)) + np.array(delta)[:, None]
    table = joint_separability(ids[:, 0], ids[:, 1], oods[:, 0], oods[:, 1], resamples=300)
    true = separability(np.array(delta, dtype=float), s)
    truths = {"d2": true.d2, "d2_e": true.alone_e**2, "gain_d": true.shift_d**2, "gain_e": true.shift_e**2}
    truths |= {"shift_d": true.shift_d, "d2_avg": true.average**2}
    if true.d2 > 0:
        truths["realised"] = true.average**2 / true.d2
    for name, truth in truths.items():
        inside = (table[f"{name}_lo"] <= truth + 1e-12) & (truth - 1e-12 <= table[f"{name}_hi"])
        assert 0.87 <= inside.mean() <= 0.995, name


def test_resampled_moments_are_those_of_resampled_images():
    """The limits of a slow bootstrap that draws images, with the same number of them."""
    rng = np.random.default_rng(3)
    ids, oods = rng.normal(size=(2, 90)), rng.normal(0.8, 1.3, size=(2, 60))
    table = joint_separability(ids[:1], ids[1:], oods[:1], oods[1:], resamples=4000).iloc[0]
    roots = []
    for _ in range(4000):
        delta, s = slow_moments(ids[:, rng.integers(0, 90, 90)], oods[:, rng.integers(0, 60, 60)])
        slope = s[0, 1] / s[0, 0]
        roots.append((delta[1] - slope * delta[0]) / np.sqrt(s[1, 1] - slope * s[0, 1]))
    lo, hi = np.quantile(roots, [0.025, 0.975])
    assert (table["shift_d_lo"], table["shift_d_hi"]) == pytest.approx((lo, hi), abs=0.03)


def test_what_has_no_answer_is_nan():
    rng = np.random.default_rng(4)
    e, d, flat = rng.normal(size=(2, 30)), rng.normal(size=(2, 30)), np.full((2, 30), 0.1)
    constant = joint_separability(flat, d, flat, d + 1, resamples=50)
    assert constant[["d2", "d2_e", "gain_d", "gain_e", "realised"]].isna().all(axis=None)
    assert constant["avg_beats_e"].isna().all()
    assert constant["d2_d"].notna().all() and constant["d2_avg"].notna().all()
    copy = joint_separability(e, e, e + 1, e + 1, resamples=50)
    assert copy[["d2", "gain_d", "gain_e"]].isna().all(axis=None)
    assert copy["d2_e"].to_numpy() == pytest.approx(copy["d2_avg"].to_numpy())
    single = joint_separability(e, d, e[:, :1], d[:, :1], resamples=50)
    assert single.drop(columns=["avg_beats_e", "avg_beats_d"]).isna().all(axis=None)
    assert len(joint_separability(*[np.empty((0, 4))] * 4)) == 0


def test_bad_input():
    ones = np.ones((2, 5))
    with pytest.raises(ScoreError, match="same OOD images"):
        joint_separability(ones, ones, ones, ones[:, :4])
    with pytest.raises(ScoreError, match="same pairs"):
        joint_separability(ones, ones, ones[:1], ones[:1])
    with pytest.raises(ScoreError, match="must be finite"):
        joint_separability(ones, ones * np.nan, ones, ones)


def test_printed_decimals_stand_under_other_seeds():
    """Theory 29: limits of 4,000 resamples, rounded as they are printed, change by one unit at most, and seldom."""
    rng = np.random.default_rng(8)
    ids, oods = rng.normal(size=(2, 120)), rng.normal(size=(2, 80)) + 1.2
    found = [joint_separability(ids[:1], ids[1:], oods[:1], oods[1:], seed=seed).iloc[0] for seed in range(12)]
    for name in ("d2_e", "d2_d", "d2_avg"):
        limits = np.array([[row[f"{name}_lo"], row[f"{name}_hi"]] for row in found])
        decimals = standing_decimals(*limits[0], 3)
        assert decimals < 3 and np.abs(limits - limits.mean(axis=0)).max() < 10.0**-decimals
        # the standard error that the decimals rest on
        expected = np.sqrt(0.025 * 0.975 / 4000) / stats.norm.pdf(1.96) * np.diff(limits).mean() / 3.92
        assert limits.std(axis=0, ddof=1).mean() == pytest.approx(expected, rel=0.6)


def test_decimals_follow_the_width_of_the_interval_and_the_resamples():
    assert [standing_decimals(1, 1 + width, 2) for width in (0.0, 0.3, 3.0, 30.0, np.nan)] == [2, 2, 1, 0, 2]
    assert standing_decimals(1, 1.6, 2, 400) == 1


def test_resamples_come_in_parts_that_make_one_bootstrap():
    rng = np.random.default_rng(9)
    scores = [rng.normal(size=(2, size)) + shift for size, shift in ((30, 0), (30, 0), (20, 1), (20, 1))]
    whole = joint_separability(*scores, resamples=1300)
    pd.testing.assert_frame_equal(whole.iloc[:1], joint_separability(*(part[:1] for part in scores), resamples=1300))
