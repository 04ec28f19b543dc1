"""Leads of rivals over CFS against slow references and known truths."""

import numpy as np
import pandas as pd
import pytest
from normal_scores import at, paired, scored, slow_auroc
from scipy import special

from cfs_explore.diagnostics import Groups, ScoreError, auroc
from cfs_explore.diagnostics.falsifier import FALSIFIED, OPEN, SUPPORTED, beside_copies, leads, says, verdict


def test_leads_are_the_least_differences_counted_pair_by_pair():
    rng = np.random.default_rng(0)
    rivals, variants = scored(rng, (0.8, 0.6), 30, 20), scored(rng, (0.7, 0.75, 0.65), 30, 20)
    rivals, variants = (tuple(np.round(part, 1) for part in pair) for pair in (rivals, variants))  # with ties
    found = leads(rivals, variants)
    for r, row in found.iterrows():
        own = slow_auroc(rivals[0][r], rivals[1][r])
        differences = [own - slow_auroc(i, o) for i, o in zip(*variants, strict=True)]
        assert row["lead"] == pytest.approx(min(differences)) and row["variant"] == np.argmin(differences)
        assert row["lead_lo"] < row["lead"] < row["lead_hi"]


def test_simultaneous_limits_are_wider_than_those_of_single_comparisons():
    rng = np.random.default_rng(1)
    rivals, variants = scored(rng, (0.85,)), scored(rng, (0.75, 0.75, 0.74, 0.76, 0.75))
    row = leads(rivals, variants).iloc[0]
    single = [paired(rivals, at(variants, v)) for v in range(5)]
    assert row["lead_lo"] < min(each.lo for each in single) - 0.003
    assert row["lead_hi"] > min(each.hi for each in single) + 0.003
    bonferroni = [paired(rivals, at(variants, v), level=1 - 0.05 / 5) for v in range(5)]
    assert row["lead_lo"] > min(each.lo for each in bonferroni) - 0.005  # which the maximum never needs
    narrower = leads(rivals, variants, level=0.8).iloc[0]
    assert row["lead_lo"] < narrower["lead_lo"] < narrower["lead_hi"] < row["lead_hi"]


@pytest.mark.parametrize("size", [1, 4])
def test_the_quantile_is_that_of_resampled_images(size):
    """Against a slow bootstrap of the AUROCs themselves, through the limits that the quantile gives."""
    rng = np.random.default_rng(2)
    scores = scored(rng, (0.8, 0.7, 0.72, 0.68), 160, 120, size=size)
    groups = Groups(np.arange(160) // size, -1 - np.arange(120) // size) if size > 1 else None
    value = np.array([slow_auroc(i, o) for i, o in zip(*scores, strict=True)])
    moved = []
    for _ in range(1500):
        picked = [(rng.integers(0, n // size, n // size)[:, None] * size + np.arange(size)).ravel() for n in (160, 120)]
        ids, oods = (part[:, rows] for part, rows in zip(scores, picked, strict=True))
        new = (oods[:, None] > ids[:, :, None]).mean(axis=(1, 2))
        moved.append((new[0] - new[1:]) - (value[0] - value[1:]))
    moved = np.array(moved)
    quantile = np.quantile(np.abs(moved / moved.std(axis=0)).max(axis=1), 0.95)
    level = 2 * special.ndtr(quantile) - 1
    expected = [paired(at(scores, 0), at(scores, v), level=level, groups=groups) for v in (1, 2, 3)]
    row = leads(at(scores, 0), at(scores, 1, 2, 3), groups=groups).iloc[0]
    width = row["lead_hi"] - row["lead_lo"]
    assert row["lead_lo"] == pytest.approx(min(each.lo for each in expected), abs=0.04 * width)
    assert row["lead_hi"] == pytest.approx(min(each.hi for each in expected), abs=0.04 * width)


@pytest.mark.parametrize("aurocs", [(0.8, 0.7), (0.6, 0.9), (0.97, 0.9)])
def test_one_variant_gives_the_paired_interval(aurocs):
    rng = np.random.default_rng(3)
    rival, variant = scored(rng, aurocs[:1]), scored(rng, aurocs[1:])
    row = leads(rival, variant).iloc[0]
    at_95 = paired(rival, variant)
    assert row["lead"] == pytest.approx(at_95.value, abs=1e-12)
    assert row["lead_lo"] <= at_95.lo + 1e-9 and row["lead_hi"] >= at_95.hi - 1e-9

    def missed(z):  # one quantile gives both limits
        return paired(rival, variant, level=2 * special.ndtr(z) - 1).lo - row["lead_lo"]

    low, high = 1.9, 2.4
    assert missed(low) > 0 > missed(high)
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if missed(middle) > 0 else (low, middle)
    assert 1.959 < low < 2.15
    assert row["lead_hi"] == pytest.approx(paired(rival, variant, level=2 * special.ndtr(low) - 1).hi, abs=1e-6)


def test_a_rival_that_is_a_variant_has_no_lead():
    rng = np.random.default_rng(4)
    variants = scored(rng, (0.9, 0.7))
    found = leads(variants, variants)
    assert found["lead"].tolist() == [0, pytest.approx(slow_auroc(*(p[1] for p in variants)) - 0.9, abs=0.06)]
    assert (found["lead_hi"] <= 0).all() and found["variant"].tolist() == [0, 0]
    assert says(found).tolist() == [SUPPORTED, SUPPORTED]
    alone = leads(at(variants, 0), at(variants, 0)).iloc[0]
    assert (alone["lead"], alone["lead_lo"], alone["lead_hi"]) == (0, 0, 0)
    raised = leads(tuple(np.exp(part[:1]) for part in variants), at(variants, 0)).iloc[0]  # the same order
    assert (raised["lead"], raised["lead_lo"], raised["lead_hi"]) == (0, 0, 0)


def test_leads_saturate_where_rival_and_best_variant_are_near_one():
    ids, oods = np.arange(30.0)[None], np.arange(100.0, 125)[None]
    mixed = ids[:, ::-1] % 7, oods % 7
    perfect = leads((ids, oods), tuple(np.concatenate(pair) for pair in zip(mixed, (ids, oods), strict=True))).iloc[0]
    assert perfect["saturated"] and perfect["lead"] == 0 and perfect["lead_lo"] < -0.05 and perfect["lead_hi"] > 0.05
    assert says(pd.DataFrame([perfect])).tolist() == [OPEN]
    assert not leads((ids, oods), mixed).iloc[0]["saturated"]
    assert not leads(mixed, (ids, oods)).iloc[0]["saturated"]


def test_the_seed_is_all_that_is_random_and_moves_little():
    rng = np.random.default_rng(5)
    rivals, variants = scored(rng, (0.8, 0.75)), scored(rng, (0.75, 0.7))
    first = leads(rivals, variants, seed=1)
    pd.testing.assert_frame_equal(first, leads(rivals, variants, seed=1))
    second = leads(rivals, variants, seed=2)
    width = first["lead_hi"] - first["lead_lo"]
    assert ((first["lead_lo"] - second["lead_lo"]).abs() < 0.03 * width).all()
    alone = leads(at(rivals, 1), variants, seed=1).iloc[0]  # other rivals lower the lower limit alone
    assert alone["lead_hi"] == pytest.approx(first.iloc[1]["lead_hi"], abs=1e-12)
    assert alone["lead_lo"] > first.iloc[1]["lead_lo"]


def test_groups_of_images_widen_the_limits():
    rng = np.random.default_rng(6)
    scores = scored(rng, (0.8, 0.7, 0.72), 160, 120, size=4)
    groups = Groups(np.arange(160) // 4, -1 - np.arange(120) // 4)
    with_groups, without = (leads(at(scores, 0), at(scores, 1, 2), groups=each).iloc[0] for each in (groups, None))
    assert with_groups["lead"] == without["lead"]
    assert with_groups["lead_hi"] - with_groups["lead_lo"] > 1.3 * (without["lead_hi"] - without["lead_lo"])


@pytest.mark.parametrize("broken", [np.nan, np.inf])
@pytest.mark.parametrize("which", ["rival", "variant"])
def test_leads_of_scores_that_are_not_finite_are_refused(broken, which):
    rng = np.random.default_rng(7)
    rivals, variants = scored(rng, (0.8,), 10, 8), scored(rng, (0.7,), 10, 8)
    (rivals if which == "rival" else variants)[1][0, 3] = broken
    with pytest.raises(ScoreError, match="finite"):
        leads(rivals, variants)


def test_leads_of_other_images_or_too_few_are_refused():
    rng = np.random.default_rng(8)
    rivals, variants = scored(rng, (0.8,), 10, 8), scored(rng, (0.7,), 10, 8)
    with pytest.raises(ScoreError, match=r"on the same images.*\(1, 9\)"):
        leads((rivals[0][:, 1:], rivals[1]), variants)
    with pytest.raises(ScoreError, match="need variants of CFS"):
        leads(rivals, tuple(part[:0] for part in variants))
    with pytest.raises(ScoreError, match="at least 2 of each class"):
        leads(*((part[0], part[1][:, :1]) for part in (rivals, variants)))
    with pytest.raises(ScoreError, match="shapes"):
        leads(tuple(part[0] for part in rivals), variants)
    with pytest.raises(ScoreError, match="level"):
        leads(rivals, variants, level=1.0)
    assert leads(tuple(part[:0] for part in rivals), variants).empty


#: AUROCs of the rival and of the variants.
TRUTHS = {
    "poor": (0.6, (0.6, 0.55)),
    "level": (0.85, (0.85, 0.85, 0.8)),
    "ahead": (0.95, (0.9, 0.9)),
    "near 1": (0.97, (0.97, 0.95)),
}


@pytest.mark.simulation
@pytest.mark.parametrize(("n", "size"), [((50, 50), 5), ((200, 60), 1)])
@pytest.mark.parametrize("truth", TRUTHS)
def test_limits_hold_the_true_lead(truth, n, size):
    """Nominal 95 % for all differences at once, so the least one's limits hold it at least that often (theory 21, 27).

    A group has 5 images of one kind, so that 50 images are 10 groups.
    """
    own, others = TRUTHS[truth]
    rng, covered = np.random.default_rng(9), []
    groups = Groups(np.arange(n[0]) // size, -1 - np.arange(n[1]) // size) if size > 1 else None
    for seed in range(160):
        scores = scored(rng, (own, *others), *n, size=size)
        rows = list(range(1, 1 + len(others)))
        row = leads(at(scores, 0), at(scores, *rows), groups=groups, resamples=400, seed=seed).iloc[0]
        covered.append(row["lead_lo"] <= own - max(others) <= row["lead_hi"])
    assert np.mean(covered) >= 0.93 - 0.052


# Untrained copies


def test_copies_are_averaged_and_their_spread_widens_the_limits():
    rng = np.random.default_rng(10)
    scores = scored(rng, (0.9, 0.5, 0.6, 0.7, 0.8, 0.65), 100, 80)
    own, copies = at(scores, 0), [at(scores, row) for row in range(1, 6)]
    found = beside_copies(own, copies)
    values = [slow_auroc(*(part[row] for part in scores)) for row in range(6)]
    assert found["copies"] == 5 and found["untrained"] == pytest.approx(np.mean(values[1:]))
    assert found["to_untrained"] == pytest.approx(values[0] - np.mean(values[1:]))
    spread = np.std(values[1:], ddof=1) / np.sqrt(5)
    alike = beside_copies(own, [at(scores, 3)] * 5)
    for name in ("untrained", "to_untrained"):
        half = (found[f"{name}_hi"] - found[f"{name}_lo"]) / 2
        assert half > 1.96 * spread and half > (alike[f"{name}_hi"] - alike[f"{name}_lo"]) / 2
    single = beside_copies(own, [at(scores, 3)])
    expected = paired(own, at(scores, 3))
    assert (single["to_untrained"], single["to_untrained_lo"], single["to_untrained_hi"]) == pytest.approx(
        (expected.value, expected.lo, expected.hi)
    )
    assert (single["untrained_lo"], single["untrained_hi"]) == pytest.approx(auroc(*(p[3] for p in scores))[1:])


@pytest.mark.simulation
def test_limits_of_five_copies_hold_what_other_copies_would_give():
    """The truth is the mean over all copies that there could be; one copy's limits, which hold no spread, miss it."""
    rng, covered, single, means = np.random.default_rng(11), [], [], []
    for _ in range(150):
        truths = np.clip(rng.normal(0.65, 0.08, 5), 0.4, 0.95)
        scores = scored(rng, (0.85, *truths), 100, 100)
        copies = [at(scores, row) for row in range(1, 6)]
        five, one = (beside_copies(at(scores, 0), some) for some in (copies, copies[:1]))
        covered.append(five["to_untrained_lo"] <= 0.2 <= five["to_untrained_hi"])
        means.append(five["untrained_lo"] <= 0.65 <= five["untrained_hi"])
        single.append(one["to_untrained_lo"] <= 0.2 <= one["to_untrained_hi"])
    assert np.mean(covered) >= 0.95 - 0.04 and np.mean(means) >= 0.95 - 0.04 and np.mean(single) < 0.85


# What leads say


@pytest.mark.parametrize(
    ("lo", "hi", "saturated", "said"),
    [
        (0.011, 0.05, False, FALSIFIED),
        (0.01, 0.05, False, OPEN),  # exactly at the margin
        (0.005, 0.05, False, OPEN),
        (-0.05, 0.009, False, SUPPORTED),
        (-0.05, 0.01, False, OPEN),
        (-0.2, -0.1, False, SUPPORTED),
        (0.011, 0.05, True, OPEN),
        (-0.2, -0.1, True, OPEN),
        (0, 0, False, SUPPORTED),
        (np.nan, np.nan, False, OPEN),
    ],
)
def test_what_a_lead_says(lo, hi, saturated, said):
    rows = pd.DataFrame({"lead_lo": [lo], "lead_hi": [hi], "saturated": [saturated]}, index=[7])
    pd.testing.assert_series_equal(says(rows), pd.Series([said], index=[7]))


def test_the_margin_can_be_another():
    rows = pd.DataFrame({"lead_lo": [0.02], "lead_hi": [0.04], "saturated": [False]})
    assert [says(rows, margin).item() for margin in (0.01, 0.03, 0.05)] == [FALSIFIED, OPEN, SUPPORTED]


@pytest.mark.parametrize(
    ("said", "untested", "expected"),
    [
        ([], 0, OPEN),
        ([SUPPORTED], 0, SUPPORTED),
        ([SUPPORTED, SUPPORTED], 0, SUPPORTED),
        ([SUPPORTED, SUPPORTED], 1, OPEN),
        ([SUPPORTED, OPEN], 0, OPEN),
        ([OPEN], 0, OPEN),
        ([SUPPORTED, OPEN, FALSIFIED], 3, FALSIFIED),
        ([FALSIFIED, SUPPORTED], 0, FALSIFIED),
    ],
)
def test_the_verdict_of_a_set(said, untested, expected):
    found = pd.DataFrame({"says": said, "trajectory": True})
    assert verdict(found, untested) == expected
    aside = pd.DataFrame({"says": [FALSIFIED, OPEN], "trajectory": False})  # about no trajectory
    assert verdict(pd.concat([found, aside]), untested) == expected
