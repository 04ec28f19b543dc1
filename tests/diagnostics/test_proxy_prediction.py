"""Cells ranked by proxies: against slow references, on simulated maps with a known correlation, and where data ends."""

import numpy as np
import pytest
from scipy import stats

from cfs_explore.contracts import Level, Tap
from cfs_explore.diagnostics import Groups, ScoreError, auroc, delong
from cfs_explore.diagnostics.groups import Members
from cfs_explore.diagnostics.proxy_prediction import (
    proxy_table,
    rank_correlation,
    rank_estimate,
    resampled_aurocs,
    resampled_predictions,
)

LEVELS = [Level(lam, lam, 1.0, 0.1, 0.0) for lam in (5.0, 1.0)]
TAPS = [Tap(f"tap{t}", "decoder", t / 3, 8, 4) for t in range(3)]


def some_scores(n=40, shift=0.0, draws=1, seed=0):
    rng = np.random.default_rng(seed)
    return rng.gamma(3, size=(n, draws, len(LEVELS), len(TAPS))) + shift


def test_proxy_table_against_a_loop():
    id_scores, proxies = (
        some_scores(draws=2),
        {"blur": some_scores(shift=1, draws=2, seed=1), "mix": some_scores(seed=2, draws=2)},
    )
    table = proxy_table(id_scores, proxies, LEVELS, TAPS)
    assert len(table) == 2 * 6
    pairs = Groups(np.arange(40), np.arange(40))  # an image and its proxy
    for row in table.to_dict("records"):
        x, y = (s[:, :, row["level"], row["tap_index"]].mean(axis=1) for s in (id_scores, proxies[row["proxy"]]))
        spread = np.sqrt(x.var(ddof=1) + y.var(ddof=1))
        assert row["predicted"] == pytest.approx(stats.norm.cdf((y.mean() - x.mean()) / spread))
        assert (row["var_id"], row["var_proxy"]) == pytest.approx((x.var(ddof=1), y.var(ddof=1)))
        assert (row["auroc"], row["lo"], row["hi"]) == pytest.approx(tuple(auroc(x, y, groups=pairs)))
        assert (row["tap"], row["lam"], row["n"]) == (f"tap{row['tap_index']}", LEVELS[row["level"]].lam, 40)


def test_one_image_has_no_variance():
    table = proxy_table(some_scores(1), {"blur": some_scores(1, seed=1)}, LEVELS, TAPS)
    assert table["predicted"].isna().all() and table["delta"].notna().all()


def test_scores_that_never_vary():
    table = proxy_table(np.ones((5, 1, 2, 3)), {"blur": np.ones((5, 1, 2, 3))}, LEVELS, TAPS)
    assert (table["predicted"] == 0.5).all() and (table["auroc"] == 0.5).all()


def test_sets_of_scores_must_match():
    with pytest.raises(ScoreError, match="must agree"):
        proxy_table(some_scores(), {"blur": some_scores()[:, :, :1]}, LEVELS, TAPS)


def test_rank_correlation_is_spearmans():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(4, 30)), rng.integers(0, 5, (4, 30)).astype(float)  # the second with ties
    expected = [stats.spearmanr(a, b).statistic for a, b in zip(one, other, strict=True)]
    np.testing.assert_allclose(rank_correlation(one, other), expected)
    assert np.isnan(rank_correlation(np.ones((1, 5)), one[:1, :5])[0])


def test_resampled_predictions_against_drawn_images():
    """Reference: the same resample, written out image by image."""
    id_scores, proxies = some_scores(12), {"blur": some_scores(12, shift=1, seed=1)}
    resampled = resampled_predictions(id_scores, proxies, 3, seed=5)["blur"]
    rng = np.random.default_rng(5)
    drawn = rng.integers(0, 12, size=(3, 12))
    for b in range(3):
        x, y = (s[drawn[b], 0].reshape(12, -1) for s in (id_scores, proxies["blur"]))
        z = (y.mean(axis=0) - x.mean(axis=0)) / np.sqrt(x.var(axis=0, ddof=1) + y.var(axis=0, ddof=1))
        np.testing.assert_allclose(resampled[b], stats.norm.cdf(z), rtol=1e-5)


def test_large_scores_do_not_cancel():
    id_scores, proxies = some_scores(30), {"blur": some_scores(30, shift=1, seed=1)}
    near = resampled_predictions(id_scores, proxies, 20, 0)["blur"]
    far = resampled_predictions(id_scores + 1e6, {"blur": proxies["blur"] + 1e6}, 20, 0)["blur"]
    np.testing.assert_allclose(near, far, atol=1e-4)


def test_resampled_aurocs_have_delongs_spread():
    rng = np.random.default_rng(3)
    id_rows, ood_rows = rng.normal(size=(5, 60)), rng.normal(size=(5, 80)) + np.arange(5)[:, None] / 3
    resampled = resampled_aurocs(id_rows, ood_rows, 4000, seed=0)
    value, var = delong(id_rows, ood_rows)
    np.testing.assert_allclose(resampled.mean(axis=0), value, atol=4 * np.sqrt(var.max() / 4000))
    np.testing.assert_allclose(resampled.var(axis=0), var, rtol=0.12)
    both = np.concatenate([id_rows, id_rows[:1]]), np.concatenate([ood_rows, ood_rows[:1]])
    shared = resampled_aurocs(*both, 50, seed=0)
    np.testing.assert_allclose(shared[:, 0], shared[:, 5])  # cells share the draws


def simulated(rng, n=150, cells=60):
    """A map whose proxies tell the separations only in part; the truth is the correlation with endless images."""
    separation = np.linspace(0, 1.5, cells)
    proxy = separation + np.random.default_rng(99).normal(0, 0.6, cells)  # the same world each time
    common = rng.normal(size=(4, 1, n))  # what all cells share of an image
    noise = np.sqrt(0.5) * (common + rng.normal(size=(4, cells, n)))
    truth = stats.spearmanr(separation, proxy).statistic
    id_rows, ood_rows = noise[0], noise[1] + separation[:, None]
    id_train, proxy_train = noise[2], noise[3] + proxy[:, None]
    as_scores = [rows.T[:, None, None] for rows in (id_train, proxy_train)]
    return truth, id_rows, ood_rows, *as_scores


def test_the_interval_covers_the_truth_about_other_images():
    rng, covered = np.random.default_rng(0), []
    for _ in range(100):
        truth, id_rows, ood_rows, id_train, proxy_train = simulated(rng)
        delta = (proxy_train - id_train).mean(axis=(0, 1, 2))
        measured = delong(id_rows, ood_rows).auroc
        again = resampled_predictions(id_train, {"p": proxy_train}, 100, 0)["p"]
        value, lo, hi = rank_estimate(delta, measured, again, resampled_aurocs(id_rows, ood_rows, 100, 1))
        assert lo < value < hi
        covered.append(lo <= truth <= hi)
    assert 0.85 <= np.mean(covered) <= 1.0
    assert hi - lo < 0.5


def test_perfect_or_no_order():
    order, flat = np.linspace(0.1, 0.9, 6), np.full(6, 0.5)
    many = np.tile(order, (20, 1))
    value, lo, hi = rank_estimate(order, order, many, many)
    assert value == 1 and np.isnan([lo, hi]).all()
    assert np.isnan(rank_estimate(order, flat, many, np.tile(flat, (20, 1)))).all()
    assert np.isnan(rank_estimate(order[:2], order[:2], many[:, :2], many[:, :2])).all()
    assert np.isnan(rank_estimate(np.full(6, np.nan), order, many, many)).all()


def test_images_of_id_train_that_belong_together_are_drawn_together():
    """Every image three times: with groups, intervals are those of the images once."""
    once, proxies = some_scores(), {"blur": some_scores(seed=1)}
    thrice, given = {"blur": np.repeat(proxies["blur"], 3, axis=0)}, np.repeat(once, 3, axis=0)
    groups = Members(np.repeat(np.arange(len(once)), 3))
    grouped, ungrouped = (proxy_table(given, thrice, LEVELS, TAPS, each) for each in (groups, None))
    width, narrow, alone = (
        each["hi"] - each["lo"] for each in (grouped, ungrouped, proxy_table(once, proxies, LEVELS, TAPS))
    )
    np.testing.assert_allclose(width, alone, rtol=1e-6)
    assert (narrow < 0.8 * width).all()
    spread = [resampled_predictions(given, thrice, 400, 0, each)["blur"].std(axis=0).mean() for each in (groups, None)]
    assert spread[1] < 0.7 * spread[0]
