"""What a detector is compared with: the pair, the decoder, and the best of CFS within its cost."""

import numpy as np
import pytest
from normal_scores import at, scored, slow_auroc

from cfs_explore.diagnostics import Groups, auroc, best_excess, fpr95, paired_auroc_difference
from cfs_explore.diagnostics import aupr as average_precision
from cfs_explore.diagnostics.falsifier import Yardsticks


@pytest.fixture(scope="module")
def yard():
    """Pair, decoder and candidates that cost 1, 1, 2 and 3 forwards; a detector; all on 60 ID and 50 OOD images."""
    rng = np.random.default_rng(10)
    scores = scored(rng, (0.8, 0.75, 0.7, 0.72, 0.8, 0.9, 0.85), 60, 50)
    pair, decoder = (tuple(part[k] for part in scores) for k in (0, 1))
    return pair, decoder, at(scores, 2, 3, 4, 5), np.array([1, 1, 2, 3]), tuple(part[6] for part in scores)


def test_a_detectors_columns_are_the_metrics(yard):
    pair, decoder, candidates, forwards, own = yard
    row = Yardsticks(pair, decoder, candidates, forwards, repeats=30).compare(*own, cost=2)
    assert (row["auroc"], row["lo"], row["hi"]) == tuple(auroc(*own))
    assert (row["aupr"], row["aupr_lo"], row["aupr_hi"]) == tuple(average_precision(*own))
    assert (row["fpr95"], row["fpr95_lo"], row["fpr95_hi"]) == tuple(fpr95(*own))
    for name, other in (("to_pair", pair), ("to_decoder", decoder)):
        expected = paired_auroc_difference(*own, *other)
        assert (row[name], row[f"{name}_lo"], row[f"{name}_hi"]) == tuple(expected)[:3]
        assert row[name] == pytest.approx(slow_auroc(*own) - slow_auroc(*other))


@pytest.mark.parametrize("cost", [1, 2, 2.9, 3, 500])
def test_the_best_within_a_cost_is_chosen_on_other_images(yard, cost):
    pair, decoder, candidates, forwards, own = yard
    row = Yardsticks(pair, decoder, candidates, forwards, repeats=40, seed=3).compare(*own, cost=cost)
    within = tuple(part[forwards <= cost] for part in candidates)
    expected = best_excess(within, {"own": [tuple(part[None] for part in own)]}, repeats=40, seed=3).iloc[0]
    assert row["best"] == pytest.approx(expected["trained"], abs=1e-12)
    assert row["to_best"] == pytest.approx(slow_auroc(*own) - expected["trained"], abs=1e-12)
    limits = row["to_best_lo"], row["to_best_hi"]
    assert limits == pytest.approx((-expected["hi"], -expected["lo"]), abs=1e-12)
    assert row["best"] <= max(slow_auroc(*each) for each in zip(*within, strict=True)) + 1e-12


@pytest.mark.parametrize("cost", [0, 0.99])
def test_nothing_of_cfs_costs_less_than_a_forward(yard, cost):
    pair, decoder, candidates, forwards, own = yard
    row = Yardsticks(pair, decoder, candidates, forwards, repeats=5).compare(*own, cost=cost)
    assert np.isnan([row[name] for name in ("to_best", "to_best_lo", "to_best_hi", "best")]).all()
    assert np.isfinite([row[name] for name in ("auroc", "to_pair", "to_decoder")]).all()


def test_yardsticks_of_the_pair_itself(yard):
    pair, decoder, candidates, forwards, _ = yard
    row = Yardsticks(pair, decoder, candidates, forwards, repeats=5).compare(*pair, cost=1)
    assert (row["to_pair"], row["to_pair_lo"], row["to_pair_hi"]) == (0, 0, 0)


def test_yardsticks_with_three_images_have_no_best(yard):
    pair, decoder, candidates, forwards, own = (
        tuple(part[..., :3] for part in each) if isinstance(each, tuple) else each for each in yard
    )
    row = Yardsticks(pair, decoder, candidates, forwards, repeats=5).compare(*own, cost=3)
    assert np.isnan(row["to_best"]) and np.isfinite(row["auroc"])


def test_yardsticks_keep_groups_whole(yard):
    pair, decoder, candidates, forwards, own = yard
    groups = Groups(np.arange(60) // 3, -1 - np.arange(50) // 5)
    row = Yardsticks(pair, decoder, candidates, forwards, repeats=20, groups=groups).compare(*own, cost=3)
    lone = tuple(part[None] for part in own)
    expected = best_excess(candidates, {"own": [lone]}, repeats=20, groups=groups).iloc[0]
    assert row["best"] == pytest.approx(expected["trained"]) and row["to_best_hi"] == pytest.approx(-expected["lo"])
    assert (row["lo"], row["hi"]) == tuple(auroc(*own, groups=groups))[1:]
