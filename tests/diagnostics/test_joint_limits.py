"""Limits for many detectors at once: the best of them, picked on the images that judge it (theory 30, 35)."""

import numpy as np
import pytest
from normal_scores import at, paired, scored, slow_auroc

from cfs_explore.diagnostics import Groups, ScoreError, auroc
from cfs_explore.diagnostics.simultaneous import joint_limits


def test_values_are_counted_pair_by_pair_and_limits_wider_than_of_each_alone():
    rng = np.random.default_rng(0)
    scores = tuple(np.round(part, 1) for part in scored(rng, (0.7, 0.8, 0.75, 0.6), 60, 40))  # with ties
    found = joint_limits(at(scores, 1, 2, 3), at(scores, 0))
    base = slow_auroc(scores[0][0], scores[1][0])
    for row, values in enumerate(found.itertuples(), start=1):
        own = slow_auroc(scores[0][row], scores[1][row])
        assert values.auroc == pytest.approx(own) and values.lead == pytest.approx(own - base)
        alone, single = auroc(scores[0][row], scores[1][row]), paired(at(scores, row), at(scores, 0))
        assert values.joint_lo < alone.lo < alone.hi < values.joint_hi
        assert values.lead_lo < single.lo < single.hi < values.lead_hi
        bonferroni = paired(at(scores, row), at(scores, 0), level=1 - 0.05 / 3)
        assert values.lead_lo > bonferroni.lo - 0.01 and values.lead_hi < bonferroni.hi + 0.01


def test_more_candidates_widen_and_copies_of_one_do_not():
    rng = np.random.default_rng(1)
    scores = scored(rng, [0.75] * 21, 80, 60)
    few, many = (joint_limits(at(scores, *range(1, count)), at(scores, 0)).iloc[0] for count in (3, 21))
    assert many["lead_lo"] < few["lead_lo"] and many["joint_lo"] < few["joint_lo"]
    one, copies = (joint_limits(at(scores, *[1] * count), at(scores, 0)).iloc[0] for count in (1, 20))
    assert copies.to_numpy() == pytest.approx(one.to_numpy())


def test_the_reference_leads_itself_by_nothing():
    scores = scored(np.random.default_rng(2), (0.7, 0.8), 30, 30)
    row = joint_limits(scores, at(scores, 0)).iloc[0]
    assert (row["lead"], row["lead_lo"], row["lead_hi"]) == (0, 0, 0)


def test_perfect_scores_have_limits():
    ids, oods = np.arange(30.0)[None], np.arange(100.0, 125)[None]
    row = joint_limits((ids, oods), (ids[:, ::-1] % 7, oods % 7)).iloc[0]
    assert row["auroc"] == 1 and 0.7 < row["joint_lo"] < 0.99 and row["joint_hi"] == 1 and row["lead_lo"] > 0


@pytest.mark.parametrize("broken", ["none", "two references", "other images", "one image"])
def test_what_cannot_be_compared_is_refused(broken):
    scores = scored(np.random.default_rng(3), (0.7, 0.8), 10, 8)
    given = {
        "none": (tuple(part[:0] for part in scores), at(scores, 0)),
        "two references": (scores, scores),
        "other images": ((scores[0][:, 1:], scores[1]), at(scores, 0)),
        "one image": tuple((part[0], part[1][:, :1]) for part in (scores, at(scores, 0))),
    }[broken]
    with pytest.raises(ScoreError, match="one reference on the same images"):
        joint_limits(*given)


@pytest.mark.simulation
@pytest.mark.parametrize(("value", "n", "size"), [(0.75, (128, 60), 1), (0.95, (64, 64), 1), (0.75, (128, 64), 4)])
def test_where_all_are_equal_the_best_of_25_is_hardly_ever_called_ahead(value, n, size):
    """At most 5 % wrong claims, of the lead and of the AUROC; limits of each alone are wrong far more often."""
    rng, ahead, alone, higher = np.random.default_rng(4), [], [], []
    groups = Groups(np.arange(n[0]) // size, -1 - np.arange(n[1]) // size) if size > 1 else None
    for seed in range(150):
        scores = scored(rng, [value] * 26, *n, size=size)
        found = joint_limits(at(scores, *range(1, 26)), at(scores, 0), groups=groups, resamples=400, seed=seed)
        best = int(found["auroc"].idxmax())
        ahead.append(found.loc[best, "lead_lo"] > 0)
        higher.append(found.loc[best, "joint_lo"] > value)
        alone.append(paired(at(scores, 1 + best), at(scores, 0), groups=groups).lo > 0)
    error = 2 * np.sqrt(0.05 * 0.95 / 150)
    assert np.mean(ahead) <= 0.05 + error and np.mean(higher) <= 0.05 + error
    assert np.mean(alone) > 0.12
