"""ICC and rank agreement between draws: against slow definitions, known variance components, and scipy."""

import itertools

import numpy as np
import pytest
from scipy import stats
from scipy.stats import spearmanr

from cfs_explore.diagnostics import ScoreError
from cfs_explore.diagnostics.groups import Members
from cfs_explore.diagnostics.rank_agreement import rank_agreement
from cfs_explore.diagnostics.reliability import (
    feature_reliability,
    icc,
    icc_interval,
    jackknife_icc,
    score_reliability,
)
from cfs_explore.scoring import Moments


def anova(values):
    """Mean squares between and within the rows of (image, draw), by the book."""
    n, draws = values.shape
    grand = sum(values.ravel()) / (n * draws)
    between = sum(draws * (row.mean() - grand) ** 2 for row in values) / (n - 1)
    within = sum((x - row.mean()) ** 2 for row in values for x in row) / (n * (draws - 1))
    return between, within


def random_effects(rng, n, draws, between, within, shape=()):
    """(n, draws, *shape) with variance ``between`` images and ``within`` an image."""
    own = rng.normal(size=(n, 1, *shape)) * np.sqrt(between)
    return own + rng.normal(size=(n, draws, *shape)) * np.sqrt(within)


def parts(values):
    """What each image of (n, draws, ...) adds to the mean squares."""
    of_image = values.mean(axis=1)
    return (of_image - of_image.mean(axis=0)) ** 2, ((values - of_image[:, None]) ** 2).sum(axis=1)


def test_icc_of_the_worked_example_of_shrout_and_fleiss():
    """Their table 2: six targets, four judges; ICC(1,1) = 0.17 (-0.13 to 0.72)."""
    ratings = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)
    msb, msw = anova(ratings)
    assert (msb, msw) == (pytest.approx(11.24, abs=0.01), pytest.approx(6.26, abs=0.01))
    assert icc(msb, msw, 4) == pytest.approx(0.166, abs=5e-4)
    lo, hi = icc_interval(msb, msw, 6, 4)
    assert (lo, hi) == (pytest.approx(-0.133, abs=1e-3), pytest.approx(0.723, abs=1e-3))


def test_features_against_a_slow_anova_of_the_whitened_snapshots():
    rng = np.random.default_rng(0)
    block = rng.normal(size=(2, 3, 17, 5)).astype(np.float32) + rng.normal(size=(2, 1, 17, 5)).astype(np.float32)
    variance = rng.uniform(0.5, 3, size=(2, 5))
    columns = {"one": slice(0, 2), "two": slice(2, 5)}
    moments = Moments.of(block[:, :, :9]).merge(Moments.of(block[:, :, 9:]))
    got = feature_reliability(moments, variance, columns, draws=3)
    for k, (t, part) in itertools.product(range(2), enumerate(columns.values())):
        squares = [anova(block[k, :, :, j].T / np.sqrt(variance[k, j])) for j in range(5)[part]]
        msb, msw = np.sum(squares, axis=0)
        assert got.icc[k, t] == pytest.approx((msb - msw) / (msb + 2 * msw), rel=1e-6)
        np.testing.assert_allclose((got.lo[k, t], got.hi[k, t]), icc_interval(msb, msw, 17, 3), rtol=1e-6)


def test_known_variance_components_are_found():
    rng = np.random.default_rng(1)
    scores = np.stack([random_effects(rng, 4000, 5, b, 1, (2,)) for b in (9, 1, 0)], axis=-1)  # (n, draw, L, T)
    np.testing.assert_allclose(score_reliability(scores).icc, [[0.9, 0.5, 0]] * 2, atol=0.02)
    block = random_effects(rng, 4000, 5, np.array([9.0, 1, 0.1]), np.array([1.0, 1, 0.1]), (3,)).transpose(1, 0, 2)[
        None
    ]
    found = feature_reliability(Moments.of(block), np.ones((1, 3)), {"all": slice(0, 3)}, 5)
    assert found.icc[0, 0] == pytest.approx(10.1 / 12.2, abs=0.01)


def test_scores_against_a_slow_anova():
    scores = np.random.default_rng(2).gamma(2, size=(20, 4, 2, 3)).astype(np.float32)
    got = score_reliability(scores).icc
    for k, t in np.ndindex(2, 3):
        assert got[k, t] == pytest.approx(icc(*anova(scores[:, :, k, t].astype(float)), 4), rel=1e-6)


def test_jackknife_against_leaving_images_out():
    values = random_effects(np.random.default_rng(3), 12, 3, 2, 1)
    whole = np.log(np.divide(*anova(values)))
    left = [np.log(np.divide(*anova(np.delete(values, i, axis=0)))) for i in range(12)]
    pseudo = 12 * whole - 11 * np.array(left)
    from scipy.stats import t

    half = t.ppf(0.975, 11) * pseudo.std(ddof=1) / np.sqrt(12)
    ratios = np.exp(pseudo.mean() + np.array([-half, half]))
    got = jackknife_icc(*parts(values), 3)
    np.testing.assert_allclose((got.lo, got.hi), (ratios - 1) / (ratios + 2), rtol=1e-9)


def test_f_interval_covers_under_normality_and_is_wide_for_sums_of_features():
    rng = np.random.default_rng(4)
    values = random_effects(rng, 40, 5, 3, 1, (1500, 4))
    between, within = parts(values)
    msb, msw = 5 * between.sum(axis=0) / 39, within.sum(axis=0) / 160
    one, pooled = icc_interval(msb[:, 0], msw[:, 0], 40, 5), icc_interval(msb.sum(axis=1), msw.sum(axis=1), 40, 5)
    cover, cover_pooled = (np.mean((lo <= 0.75) & (hi >= 0.75)) for lo, hi in (one, pooled))
    assert 0.93 < cover < 0.97
    assert cover_pooled > 0.99


def test_jackknife_covers_for_skewed_scores_where_f_does_not():
    """Noise that grows with the score, as slot scores have it."""
    rng = np.random.default_rng(5)
    own = np.exp(0.5 * rng.normal(size=(300, 1, 1200)))
    values = own * (1 + 0.3 * rng.normal(size=(300, 5, 1200)))
    spread, noise = (np.exp(0.25) - 1) * np.exp(0.25), 0.09 * np.exp(0.5)
    truth = spread / (spread + noise)
    between, within = parts(values)
    got = jackknife_icc(between, within, 5)
    lo, hi = icc_interval(5 * between.sum(axis=0) / 299, within.sum(axis=0) / 1200, 300, 5)
    assert np.mean((got.lo <= truth) & (got.hi >= truth)) > 0.9
    assert np.mean((lo <= truth) & (hi >= truth)) < 0.88


def test_what_cannot_be_known_is_missing():
    scores = np.random.default_rng(6).normal(size=(8, 3, 1, 2))
    for few in (scores[:, :1], scores[:1]):
        assert np.isnan(score_reliability(few)).all()
        assert np.isnan(rank_agreement(few)).all()
    moments = Moments.of(np.random.default_rng(7).normal(size=(1, 1, 6, 4)))
    assert np.isnan(feature_reliability(moments, np.ones((1, 4)), {"t": slice(0, 4)}, 1)).all()
    assert np.isnan(score_reliability(np.ones((5, 2, 1, 1)))).all()
    assert np.isnan(rank_agreement(np.ones((5, 2, 1, 1)))).all()
    two = score_reliability(scores[:2])
    assert np.isfinite(two.icc).all()
    assert np.isnan(two.lo).all()


def test_dead_features_weigh_nothing_and_equal_draws_are_certain():
    block = random_effects(np.random.default_rng(8), 30, 4, 1, 1, (3,)).transpose(1, 0, 2)[None]
    dead = np.concatenate([block, np.full((1, 4, 30, 2), 7.0)], axis=-1)
    variance = np.concatenate([np.ones((1, 3)), np.full((1, 2), 1e-6)], axis=1)
    columns = {"all": slice(0, 5), "dead": slice(3, 5)}
    got = feature_reliability(Moments.of(dead), variance, columns, 4)
    alone = feature_reliability(Moments.of(block), np.ones((1, 3)), {"all": slice(0, 3)}, 4)
    assert got.icc[0, 0] == pytest.approx(alone.icc[0, 0])
    assert np.isnan(got.icc[0, 1])
    same = np.repeat(np.arange(6.0).reshape(6, 1, 1, 1), 3, axis=1)
    assert np.ravel(score_reliability(same)).tolist() == [1, 1, 1]


@pytest.mark.parametrize("decimals", [None, 0])
def test_rank_agreement_is_the_mean_of_scipys_spearman(decimals):
    values = random_effects(np.random.default_rng(9), 60, 4, 1, 1, (2, 3))
    values = values if decimals is None else values.round(decimals)
    got = rank_agreement(values)
    for k, t in np.ndindex(2, 3):
        draws = values[:, :, k, t].T
        pairs = [spearmanr(draws[a], draws[b]).statistic for a, b in itertools.combinations(range(4), 2)]
        assert got.spearman[k, t] == pytest.approx(np.mean(pairs), abs=1e-12)
        assert got.lo[k, t] < got.spearman[k, t] < got.hi[k, t]


@pytest.mark.parametrize(("correlation", "skewed"), [(0.0, False), (0.6, True), (0.95, False)])
def test_rank_agreement_covers(correlation, skewed):
    """Two draws of a bivariate normal: Spearman's rho is 6/pi asin(r/2), also after any monotone map."""
    rng = np.random.default_rng(10)
    values = random_effects(rng, 120, 2, correlation, 1 - correlation, (1, 800))
    got = rank_agreement(np.exp(values) if skewed else values)
    truth = 6 / np.pi * np.arcsin(correlation / 2)
    assert 0.925 < np.mean((got.lo <= truth) & (got.hi >= truth)) < 0.975


def test_rank_agreement_of_many_draws_covers():
    values = random_effects(np.random.default_rng(11), 120, 5, 0.7, 0.3, (1, 600))
    got = rank_agreement(values)
    truth = 6 / np.pi * np.arcsin(0.7 / 2)
    assert 0.92 < np.mean((got.lo <= truth) & (got.hi >= truth)) < 0.98


def test_one_order_in_every_draw_agrees_perfectly():
    order = np.arange(9.0).reshape(9, 1, 1, 1)
    got = rank_agreement(np.concatenate([order, order**3, np.exp(order)], axis=1))
    assert np.ravel(got) == pytest.approx([1, 1, 1])


@pytest.mark.parametrize("scores", [np.ones((3, 2, 1)), np.ones((0, 2, 1, 1)), np.full((3, 2, 1, 1), np.nan)])
def test_unusable_scores_are_refused(scores):
    with pytest.raises(ScoreError):
        score_reliability(scores)
    with pytest.raises(ScoreError):
        rank_agreement(scores)


def in_groups(rng, n, size, draws, between=1.0, within=0.5):
    """Scores (n, draws) of groups of ``size`` images whose own parts are all alike but for a tenth; their groups."""
    codes = np.arange(n) // size
    own = 0.9**0.5 * rng.normal(size=codes[-1] + 1)[codes] + 0.1**0.5 * rng.normal(size=n)
    return own[:, None] * between**0.5 + rng.normal(size=(n, draws)) * within**0.5, Members(codes)


def test_with_one_image_in_each_group_nothing_changes():
    rng = np.random.default_rng(20)
    values = rng.normal(size=(30, 4, 1, 2)) + rng.normal(size=(30, 1, 1, 2))
    alone = Members(rng.permutation(30))
    for measure in (score_reliability, rank_agreement):
        np.testing.assert_allclose(measure(values, groups=alone), measure(values), rtol=1e-9)
    moments = Moments.of(values[:, :, 0].transpose(1, 0, 2)[None].astype(np.float32))
    given = moments, np.ones((1, 2)), {"t": slice(0, 2)}, 4
    np.testing.assert_allclose(feature_reliability(*given, groups=alone), feature_reliability(*given))


def test_groups_of_unequal_size_against_leaving_each_out():
    """Busing et al. 1999, of groups whose images are alike, for which the shift of the mean is exact."""
    rng, draws = np.random.default_rng(21), 3
    codes = np.repeat([0, 1, 2, 3], [1, 3, 2, 4])
    of_image = rng.normal(size=4)[codes]
    within = rng.gamma(2, size=10)

    def log_ratio(kept):
        n = kept.sum()
        return np.log(
            draws * ((of_image[kept] - of_image[kept].mean()) ** 2).sum() / (n - 1) / within[kept].sum() * n * 2
        )

    whole, n, sizes = log_ratio(np.ones(10, bool)), 10, np.array([1, 3, 2, 4])
    left = np.array([log_ratio(codes != k) for k in range(4)])
    estimate, h = 4 * whole - ((1 - sizes / n) * left).sum(), n / sizes
    half = stats.t.ppf(0.975, 3) * np.sqrt(((h * whole - (h - 1) * left - estimate) ** 2 / (h - 1)).mean())
    ratio = np.exp([estimate - half, estimate + half])
    got = jackknife_icc((of_image - of_image.mean()) ** 2, within, draws, groups=Members(codes))
    assert [float(got.lo), float(got.hi)] == pytest.approx(((ratio - 1) / (ratio + 2)).tolist())


@pytest.mark.parametrize("measure", [score_reliability, rank_agreement])
def test_intervals_of_images_in_groups_cover_the_truth(measure):
    rng, found = np.random.default_rng(22), {True: [], False: []}
    for _ in range(250):
        values, groups = in_groups(rng, 180, 6, 3)
        for grouped in found:
            got = measure(values[:, :, None, None], groups=groups if grouped else None)
            found[grouped].append((got.lo.item(), got.hi.item()))
    truth = 1 / 1.5 if measure is score_reliability else 6 / np.pi * np.arcsin(1 / 1.5 / 2)
    covered = {grouped: np.mean([lo <= truth <= hi for lo, hi in limits]) for grouped, limits in found.items()}
    assert covered[True] >= 0.88 > 0.75 > covered[False]


def test_features_of_images_in_groups_have_fewer_degrees_of_freedom():
    groups = Members(np.repeat(np.arange(6), 3))
    np.testing.assert_allclose(
        icc_interval(5.0, 1.0, 18, 4, groups=groups)[0], icc(5.0 / stats.f.ppf(0.975, 5, 54), 1.0, 4)
    )
    assert np.isnan(icc_interval(5.0, 1.0, 18, 4, groups=Members(np.zeros(18)))).all()
