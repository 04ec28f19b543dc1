"""Conformal p-values, thresholds and false discoveries against loops, exact laws, scipy, and held-out ID images."""

import math

import numpy as np
import pytest
from scipy.stats import beta, betabinom, binomtest, false_discovery_control, ks_2samp, kstest, percentileofscore

from cfs_explore.contracts import Cell
from cfs_explore.diagnostics import (
    ScoreError,
    adjusted_p_values,
    alarm,
    clopper_pearson,
    compose,
    conformal_p_values,
    discovery_rate,
    false_alarms,
    id_percentiles,
    triage,
)
from cfs_explore.diagnostics.groups import Members
from cfs_explore.locations import BUNDLES
from cfs_explore.store import open_run


def slow_p_values(id_scores, scores):
    """The definition, one comparison at a time."""
    found = []
    for s in scores:
        count = 1
        for t in id_scores:
            if t >= s:
                count += 1
        found.append(count / (len(id_scores) + 1))
    return found


def samples(kind: str, n_id: int, n: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    if kind == "ties":
        return rng.poisson(3, n_id).astype(float), rng.poisson(4, n).astype(float)
    return np.exp(rng.normal(size=n_id)), np.exp(rng.normal(0.7, 1.2, size=n))


@pytest.mark.parametrize("kind", ["distinct", "ties"])
def test_p_values_and_percentiles_are_the_definition(kind):
    id_scores, scores = samples(kind, 57, 80)
    np.testing.assert_array_equal(conformal_p_values(id_scores, scores), slow_p_values(id_scores, scores))
    np.testing.assert_allclose(
        id_percentiles(id_scores, scores), percentileofscore(id_scores, scores, kind="mean"), rtol=1e-12
    )


def test_p_values_of_a_hand_made_case():
    p = conformal_p_values([1.0, 2.0, 2.0, 5.0], [0.0, 1.0, 2.0, 3.0, 6.0])
    assert p.tolist() == [1.0, 1.0, 0.8, 0.4, 0.2]
    assert id_percentiles([1.0, 2.0, 2.0, 5.0], [2.0, 6.0]).tolist() == [50.0, 100.0]


def test_without_ties_each_p_value_is_equally_likely_for_an_id_image():
    """Exactly 1 / (n_id + 1) each: 20 values in 40,000 worlds, within five standard deviations."""
    worlds, n_id = 40_000, 19
    rng = np.random.default_rng(1)
    drawn = np.exp(rng.normal(size=(worlds, n_id + 1)))
    p = np.array([conformal_p_values(row[:-1], row[-1:])[0] for row in drawn])
    counts = np.bincount(np.rint(p * (n_id + 1)).astype(int), minlength=n_id + 2)[1:]
    expected, sd = worlds / (n_id + 1), math.sqrt(worlds * 0.05 * 0.95)
    assert np.abs(counts - expected).max() < 5 * sd


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1])
@pytest.mark.parametrize("kind", ["distinct", "ties"])
def test_an_id_image_is_flagged_at_most_as_often_as_promised(kind, rate):
    """Super-uniform over worlds of new ID-test sets and one new ID image, with and without ties."""
    worlds, n_id = 20_000, 199
    rng = np.random.default_rng(2)
    drawn = rng.poisson(3, (worlds, n_id + 1)) if kind == "ties" else rng.normal(size=(worlds, n_id + 1))
    flagged = np.mean([row[-1] > alarm(row[:-1], rate).threshold for row in drawn.astype(float)])
    sd = math.sqrt(rate * (1 - rate) / worlds)
    assert flagged <= rate + 4 * sd
    if kind == "distinct":
        assert flagged == pytest.approx(alarm(np.arange(199.0), rate).expected, abs=4 * sd)


@pytest.mark.parametrize("cells", [[Cell(2, 6), Cell(2, 22)], [Cell(0, 0)], [Cell(4, 28)]])
def test_held_out_id_images_of_the_bundle_have_uniform_p_values(cells):
    run = open_run(BUNDLES / "digits")
    scores = compose(run.scores("id_test"), cells)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(scores))
        reference, held_out = scores[order[:210]], scores[order[210:]]
        p = conformal_p_values(reference, held_out)
        # The p-values share their reference, so that their distance from uniform follows the law of two samples.
        distance = kstest(p, "uniform").statistic
        assert distance == pytest.approx(ks_2samp(reference, held_out).statistic, abs=2 / 211)
        assert ks_2samp(reference, held_out).pvalue > 0.01
        assert abs(p.mean() - (211 + 1) / (2 * 211)) < 4 * math.sqrt((1 / 12) * (1 / 210 + 1 / 211))
    noisy = conformal_p_values(scores, compose(run.scores("ood", "noisy"), cells))
    assert kstest(noisy, "uniform").pvalue < 1e-6  # what this test sees when images are not ID


@pytest.mark.parametrize("rate", [0.0, 0.001, 0.0049, 0.005, 0.01, 0.05, 0.2, 0.5, 0.999])
@pytest.mark.parametrize("kind", ["distinct", "ties"])
def test_above_the_threshold_are_the_images_with_a_p_value_within_the_rate(kind, rate):
    id_scores, scores = samples(kind, 199, 300)
    found = alarm(id_scores, rate)
    np.testing.assert_array_equal(scores > found.threshold, np.array(slow_p_values(id_scores, scores)) <= rate + 1e-12)
    assert found.flagged == sum(s > found.threshold for s in id_scores)
    assert found.n_id == 199 and found.expected <= rate + 1e-12 < found.expected + 1 / 200
    assert math.isinf(found.threshold) == (rate < 1 / 200)


def test_rates_that_are_whole_images_are_not_lost_to_rounding():
    """0.07 x 100 is 7.000000000000001 and 0.29 x 100 is 28.999999999999996 in floating point."""
    id_scores = np.arange(99.0)
    for rate, count in ((0.07, 7), (0.29, 29)):
        assert alarm(id_scores, rate).threshold == 99 - count
        assert alarm(id_scores, rate).expected == count / 100


def test_the_interval_of_the_realised_rate_holds_the_true_rate():
    """Uniform scores: the true rate is 1 - threshold; its exact law, and the interval's coverage over ID-test sets."""
    n_id, rate, worlds = 119, 0.1, 4_000
    rng = np.random.default_rng(3)
    found = [alarm(rng.random(n_id), rate) for _ in range(worlds)]
    true = np.array([1 - each.threshold for each in found])
    assert {each.flagged for each in found} == {11}
    assert kstest(true, beta(12, 108).cdf).pvalue > 0.01
    covered = np.mean([each.realised.lo <= rate_ <= each.realised.hi for each, rate_ in zip(found, true, strict=True)])
    assert covered >= 0.95 - 4 * math.sqrt(0.05 * 0.95 / worlds)


def test_false_alarms_among_new_id_images_follow_their_law():
    n_id, n, worlds = 79, 50, 20_000
    rng = np.random.default_rng(4)
    counts = np.empty(worlds)
    for world in range(worlds):
        reference = rng.normal(size=n_id)
        counts[world] = (rng.normal(size=n) > alarm(reference, 0.05).threshold).sum()
    mean, lo, hi = false_alarms(n, alarm(np.arange(float(n_id)), 0.05))
    assert mean == pytest.approx(n * 4 / 80)
    assert counts.mean() == pytest.approx(mean, abs=5 * counts.std() / math.sqrt(worlds))
    assert np.mean((counts >= lo) & (counts <= hi)) >= 0.95 - 0.01
    law = betabinom(n, 4, 76)
    assert (lo, hi) == (law.ppf(0.025), law.ppf(0.975))
    np.testing.assert_allclose(np.bincount(counts.astype(int), minlength=6)[:6] / worlds, law.pmf(range(6)), atol=0.015)


def test_no_alarm_is_possible_below_the_smallest_p_value():
    found = alarm(np.arange(9.0), 0.05)
    assert found.threshold == math.inf and found.expected == 0 and found.flagged == 0
    assert false_alarms(100, found) == (0.0, 0.0, 0.0)
    assert found.realised.lo == 0 and found.realised.hi == pytest.approx(binomtest(0, 9).proportion_ci().high)


@pytest.mark.parametrize(("count", "n"), [(0, 1), (1, 1), (0, 421), (20, 421), (421, 421), (3, 7)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_clopper_pearson_against_scipy(count, n, level):
    interval = binomtest(count, n).proportion_ci(level, method="exact")
    assert clopper_pearson(count, n, level) == pytest.approx((count / n, interval.low, interval.high), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["distinct", "ties"])
def test_benjamini_hochberg_against_scipy(kind, seed):
    id_scores, scores = samples(kind, 150, 90, seed)
    p = conformal_p_values(id_scores, scores)
    adjusted = adjusted_p_values(p)
    np.testing.assert_allclose(adjusted, false_discovery_control(p, method="bh"), rtol=1e-12)
    for fdr in (0.01, 0.05, 0.2, 0.5):
        found = alarm(id_scores, discovery_rate(p, fdr))
        np.testing.assert_array_equal(scores > found.threshold, adjusted <= fdr + 1e-12)


def test_discoveries_of_a_hand_made_case():
    p = np.array([0.01, 0.04, 0.03, 0.5])
    assert discovery_rate(p, 0.05) == 0.01
    assert discovery_rate(p, 0.055) == 0.04  # 0.03 alone would miss its bar of 0.0275, and is carried along
    assert discovery_rate(p, 0.04) == 0.01  # 4 x 0.01: the bar itself is within the rate
    assert discovery_rate(p, 0.03) == 0.0


def test_false_discoveries_stay_within_their_rate():
    """60 ID images and 40 shifted ones judged by one ID-test set; the law says at most 0.6 x 0.2."""
    rng = np.random.default_rng(5)
    shares = []
    for _ in range(1_500):
        id_scores = rng.normal(size=200)
        scores = np.concatenate([rng.normal(size=60), rng.normal(3, size=40)])
        flagged = scores > alarm(id_scores, discovery_rate(conformal_p_values(id_scores, scores), 0.2)).threshold
        shares.append(flagged[:60].sum() / max(flagged.sum(), 1))
    assert np.mean(shares) <= 0.12 + 4 * np.std(shares) / math.sqrt(1_500)


def test_triage_has_a_row_per_image_in_its_order():
    id_scores, scores = samples("distinct", 40, 12)
    table = triage(id_scores, scores, 1.5)
    assert table.columns.tolist() == ["score", "percentile", "p_value", "flagged"]
    assert table["score"].tolist() == scores.tolist()
    assert table["flagged"].tolist() == [s > 1.5 for s in scores]
    assert table["p_value"].tolist() == slow_p_values(id_scores, scores)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: conformal_p_values([], [1.0]), "id_scores is empty"),
        (lambda: conformal_p_values([1.0], [math.nan]), "scores must be finite"),
        (lambda: id_percentiles([[1.0]], [1.0]), "id_scores must have shape"),
        (lambda: alarm([1.0, 2.0], 1.0), "rate must be"),
        (lambda: alarm([1.0, 2.0], -0.1), "rate must be"),
        (lambda: alarm([1.0, math.inf], 0.1), "id_scores must be finite"),
        (lambda: alarm([1.0, 2.0], 0.1, level=1.0), "level must be"),
        (lambda: false_alarms(0, alarm([1.0], 0.5)), "n must be"),
        (lambda: clopper_pearson(3, 2), "Got 3 of 2"),
        (lambda: adjusted_p_values([0.0, 0.5]), "p_values must lie in"),
        (lambda: discovery_rate([0.5], 0.0), "fdr must be"),
        (lambda: triage([1.0], [], 0.5), "scores is empty"),
    ],
)
def test_bad_input_is_named(call, said):
    with pytest.raises(ScoreError, match=said):
        call()


def test_groups_of_one_image_change_nothing():
    id_scores, scores = samples("skewed", 60, 40)
    alone = Members(np.arange(60))
    np.testing.assert_allclose(conformal_p_values(id_scores, scores, alone), conformal_p_values(id_scores, scores))
    one, same = alarm(id_scores, 0.1, groups=alone), alarm(id_scores, 0.1)
    assert one[:5] == pytest.approx(same[:5]) and one.groups == same.groups == 60
    assert false_alarms(40, same, groups=Members(np.arange(40))) == false_alarms(40, same)


def test_groups_of_id_images_count_once():
    """By the book: each group has weight 1 / 4, spread over its images."""
    p = conformal_p_values([1.0, 2.0, 3.0, 4.0], [0.0, 2.5, 3.5, 9.0], Members(np.array([0, 0, 1, 2])))
    np.testing.assert_allclose(p, [1, 3 / 4, 2 / 4, 1 / 4])
    found = alarm([1.0, 2.0, 3.0, 4.0], 0.5, groups=Members(np.array([0, 0, 1, 2])))
    assert (found.threshold, found.expected, found.groups) == (3.0, 0.5, 3)


def test_the_rate_holds_for_a_new_group():
    """Groups of ten images that are alike: without them, an image of a new group is flagged far too often."""
    rng, flagged = np.random.default_rng(30), {True: [], False: []}
    groups, rate = Members(np.repeat(np.arange(19), 10)), 0.1
    for _ in range(4000):
        id_scores = np.repeat(rng.normal(size=19), 10) + 1e-3 * rng.normal(size=190)
        new = rng.normal() + 1e-3 * rng.normal()
        for grouped in flagged:
            flagged[grouped].append(new > alarm(id_scores, rate, groups=groups if grouped else None).threshold)
    assert np.mean(flagged[True]) <= rate + 0.015
    smallest = conformal_p_values(id_scores, np.array([99.0]))[0]
    assert smallest < 1 / 20 == pytest.approx(conformal_p_values(id_scores, np.array([99.0]), groups)[0])


def test_ranges_of_images_in_groups_are_wider():
    id_scores, groups = np.repeat(np.arange(40.0), 5), Members(np.repeat(np.arange(40), 5))
    grouped, ungrouped = alarm(id_scores, 0.1, groups=groups), alarm(id_scores, 0.1)
    assert grouped.effective == pytest.approx(40, rel=0.2)
    assert grouped.realised.hi - grouped.realised.lo > 1.5 * (ungrouped.realised.hi - ungrouped.realised.lo)
    together = false_alarms(100, ungrouped, groups=Members(np.repeat(np.arange(10), 10)))
    apart = false_alarms(100, ungrouped)
    assert together.value == apart.value and together.hi > apart.hi
