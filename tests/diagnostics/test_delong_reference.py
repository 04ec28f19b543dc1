"""The fast DeLong against the O(n^2) definition, and its coverage where the truth is known."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cfs_explore.diagnostics import (
    ScoreError,
    auroc_interval,
    delong,
    delong_covariance,
    paired_auroc_difference,
    placements,
)
from cfs_explore.diagnostics.excess import Placed, paired_interval


def slow_placements(id_row, ood_row):
    """DeLong et al. 1988: psi over all pairs."""
    psi = (ood_row[None] > id_row[:, None]) + 0.5 * (ood_row[None] == id_row[:, None])
    return psi.mean(axis=1), psi.mean(axis=0)


def slow_delong(id_row, ood_row):
    id_placements, ood_placements = slow_placements(id_row, ood_row)
    variance = id_placements.var(ddof=1) / len(id_row) + ood_placements.var(ddof=1) / len(ood_row)
    return ood_placements.mean(), variance


def check(id_scores, ood_scores):
    got = delong(id_scores, ood_scores)
    for cell, rows in enumerate(zip(id_scores, ood_scores, strict=True)):
        auroc, var = slow_delong(*rows)
        assert got.auroc[cell] == pytest.approx(auroc, abs=1e-12)
        assert got.var[cell] == pytest.approx(var, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("decimals", [None, 2, 0])
def test_against_the_definition(dtype, decimals):
    rng = np.random.default_rng(0)
    id_scores, ood_scores = rng.normal(size=(12, 83)), rng.normal(0.5, 2, size=(12, 140))
    if decimals is not None:
        id_scores, ood_scores = id_scores.round(decimals), ood_scores.round(decimals)
    check(id_scores.astype(dtype), ood_scores.astype(dtype))


def test_integers_and_special_values():
    rng = np.random.default_rng(1)
    check(rng.integers(-3, 3, size=(4, 30)), rng.integers(-2, 4, size=(4, 20)))
    zeros = np.array([[-0.0, 0.0, 1.0]]), np.array([[0.0, -0.0, -1.0]])
    check(*zeros)
    extremes = np.array([5e-324, -5e-324, 0.0, 1e-320, 1e300, -1e300, 1.7e308, 1.0, -2.0, 1e-200, -1e-160])
    id_scores, ood_scores = rng.choice(extremes, size=(6, 25)), rng.choice(extremes, size=(6, 31))
    check(id_scores, ood_scores)
    mixed = (
        np.vstack([id_scores, rng.normal(size=(3, 25))]),
        np.vstack([ood_scores, rng.normal(size=(3, 31))]),
    )
    check(*mixed)


def test_float64_neighbours_are_distinguished():
    """Values that differ in the last bit are one score in float32, two here."""
    rng = np.random.default_rng(2)
    steps = 1.0 + np.arange(-8, 8) * np.finfo(float).eps
    for sign in (1, -1):
        check(sign * rng.choice(steps, size=(5, 40)), sign * rng.choice(steps, size=(5, 40)))


def test_many_blocks_and_sizes():
    rng = np.random.default_rng(3)
    id_scores, ood_scores = rng.normal(size=(70, 3000)), rng.normal(0.3, 1, size=(70, 2000)).round(2)
    got = delong(id_scores, ood_scores)
    labels = np.repeat([0, 1], [3000, 2000])
    for cell in (0, 33, 69):
        expected = roc_auc_score(labels, np.concatenate([id_scores[cell], ood_scores[cell]]))
        assert got.auroc[cell] == pytest.approx(expected, abs=1e-12)
        assert got.var[cell] == pytest.approx(slow_delong(id_scores[cell], ood_scores[cell])[1], rel=1e-9)
    assert delong(np.empty((0, 3)), np.empty((0, 4))).auroc.shape == (0,)


def test_inputs_are_left_alone():
    rng = np.random.default_rng(4)
    id_scores, ood_scores = -np.abs(rng.normal(size=(2, 30))), rng.normal(size=(2, 30))
    copies = id_scores.copy(), ood_scores.copy()
    delong(id_scores, ood_scores)
    placements(id_scores, ood_scores)
    np.testing.assert_array_equal(id_scores, copies[0])
    np.testing.assert_array_equal(ood_scores, copies[1])


def test_single_image_has_no_variance():
    got = delong(np.array([[1.0]]), np.array([[2.0, 3.0]]))
    assert got.auroc[0] == 1.0
    assert np.isnan(got.var[0])


def test_placements_and_covariance_against_the_definition():
    rng = np.random.default_rng(5)
    id_scores, ood_scores = rng.normal(size=(3, 40)).round(1), rng.normal(0.4, 1, size=(3, 55)).round(1)
    id_scores[1] += id_scores[0]
    ood_scores[1] += ood_scores[0]
    slow = [slow_placements(*rows) for rows in zip(id_scores, ood_scores, strict=True)]
    got_id, got_ood = placements(id_scores, ood_scores)
    np.testing.assert_allclose(got_id, [id_part for id_part, _ in slow])
    np.testing.assert_allclose(got_ood, [ood_part for _, ood_part in slow])
    auroc, covariance = delong_covariance(id_scores, ood_scores)
    fast = delong(id_scores, ood_scores)
    np.testing.assert_allclose(auroc, fast.auroc)
    np.testing.assert_allclose(np.diag(covariance), fast.var)
    expected = np.cov(slow[0][0], slow[1][0])[0, 1] / 40 + np.cov(slow[0][1], slow[1][1])[0, 1] / 55
    assert covariance[0, 1] == pytest.approx(expected)


@pytest.mark.parametrize("n", [(60, 60), (100, 250), (400, 400)])
@pytest.mark.parametrize("shift", [0.0, 0.7, 1.5])
def test_interval_covers_the_truth(n, shift):
    """Normal scores, AUROC 0.50, 0.69 and 0.86: nominal 95 % over 4,000 samples."""
    from scipy.stats import norm

    rng = np.random.default_rng(n[0] + int(10 * shift))
    estimate = delong(rng.normal(size=(4000, n[0])), rng.normal(shift, 1, size=(4000, n[1])))
    lo, hi = auroc_interval(*estimate, *n)
    truth = norm.cdf(shift / np.sqrt(2))
    assert 0.93 <= ((lo <= truth) & (truth <= hi)).mean() <= 0.97
    wide_lo, wide_hi = auroc_interval(*estimate, *n, level=0.99)
    assert (wide_lo <= lo).all()
    assert (wide_hi >= hi).all()


def correlated(rng, n, shift):
    """Two scores (2, n) that share half of their variance."""
    shared = rng.normal(size=n)
    return np.sqrt(0.5) * (shared + rng.normal(size=(2, n))) + shift


def test_paired_difference_against_the_definition():
    rng = np.random.default_rng(6)
    (id_a, id_b), (ood_a, ood_b) = correlated(rng, 50, 0).round(1), correlated(rng, 70, 0.6).round(1)
    got = paired_auroc_difference(id_a, ood_a, id_b, ood_b)
    (auroc_a, var_a), (auroc_b, var_b) = slow_delong(id_a, ood_a), slow_delong(id_b, ood_b)
    parts = zip(slow_placements(id_a, ood_a), slow_placements(id_b, ood_b), strict=True)
    covariance = sum(np.cov(a, b)[0, 1] / len(a) for a, b in parts)
    deviation = np.sqrt(var_a + var_b - 2 * covariance)
    assert got.value == pytest.approx(auroc_a - auroc_b)
    assert got.hi - got.lo == pytest.approx(2 * 1.959964 * deviation, rel=0.05)  # near 1/2, nearly Wald's
    from scipy.stats import norm

    assert got.p_value == pytest.approx(2 * norm.sf(abs(got.value) / deviation), rel=0.1)


def test_paired_false_positive_rate():
    """Two scores that are equally good: 5 % of the tests reject."""
    rng = np.random.default_rng(7)
    samples = [(correlated(rng, 90, 0.0), correlated(rng, 110, 0.8)) for _ in range(600)]
    ids, oods = (np.stack(part, axis=1) for part in zip(*samples, strict=True))  # (score, sample, image)
    first, second = (Placed.of(*rows) for rows in zip(ids, oods, strict=True))
    difference = first.minus(second).judged
    lo, hi, p = paired_interval(first.judged, second.judged, difference.var, *first.independent)
    assert ((p < 0.05) == ((lo > 0) | (hi < 0))).all()
    assert 0.025 <= (p < 0.05).mean() <= 0.075
    single = paired_auroc_difference(ids[0][0], oods[0][0], ids[1][0], oods[1][0])
    assert single == pytest.approx((difference.auroc[0], lo[0], hi[0], p[0]), abs=1e-9)


def test_paired_difference_without_variance():
    rng = np.random.default_rng(8)
    id_a, ood_a = rng.normal(size=40), rng.normal(1, 1, size=40)
    assert paired_auroc_difference(id_a, ood_a, np.exp(id_a), np.exp(ood_a)) == (0.0, 0.0, 0.0, 1.0)
    low, high = np.arange(40.0), np.arange(50.0, 90.0)
    both = paired_auroc_difference(low, high, low[::-1], high[::-1])
    assert (both.value, both.p_value) == (0.0, 1.0)
    assert both.lo < -0.01
    assert both.hi > 0.01
    opposite = paired_auroc_difference(low, high, high, low)
    assert opposite.value == 1.0
    assert 0 < opposite.p_value < 1e-6
    assert 0.9 < opposite.lo < 1.0 == opposite.hi


def test_bad_input():
    with pytest.raises(ScoreError, match=r"\(cells, n_id\)"):
        delong(np.zeros((2, 3)), np.zeros((3, 3)))
    with pytest.raises(ScoreError, match="at least one image"):
        delong(np.zeros((2, 0)), np.zeros((2, 3)))
    for bad in (np.nan, np.inf, -np.inf):
        scores = np.ones((2, 3))
        scores[1, 2] = bad
        with pytest.raises(ScoreError, match="1 of 12 entries"):
            delong(scores, np.ones((2, 3)))
    with pytest.raises(ScoreError, match="same images"):
        paired_auroc_difference(np.zeros(3), np.zeros(3), np.zeros(4), np.zeros(3))
    with pytest.raises(ScoreError, match="at least 2"):
        delong_covariance(np.zeros((2, 1)), np.zeros((2, 3)))
