"""Two simulated scores: exact AUROCs against samples, and averaging that hurts exactly where theory (7) says."""

import itertools

import numpy as np
import pytest

from cfs_explore.diagnostics import ScoreError
from cfs_explore.diagnostics.joint_separability import joint_separability
from cfs_explore.diagnostics.simulated_pair import (
    COMBINATIONS,
    SimulatedPair,
    pair_curve,
    pair_detectors,
    sample_pair,
)

SETTINGS = [
    SimulatedPair(shift_e=a, shift_d=b, sd_d=s, correlation=r, variance_ratio=v)
    for a, b, s, r, v in itertools.product([0.4, 1.2], [0.0, 1.0], [0.5, 2.0], [-0.5, 0.2, 0.8], [1.0, 2.0])
]


@pytest.mark.parametrize("pair", [SETTINGS[0], SETTINGS[17], SETTINGS[30], SETTINGS[47]])
def test_exact_aurocs_are_those_of_a_large_sample(pair):
    detectors = pair_detectors(pair, *sample_pair(pair, 20_000, seed=4))
    assert tuple(detectors["combination"]) == COMBINATIONS
    half = (detectors["hi"] - detectors["lo"]) / 2
    assert ((detectors["auroc"] - detectors["exact"]).abs() < 2 * half).all()
    assert (half < 0.01).all()


def test_samples_have_the_stated_moments():
    pair = SETTINGS[47]
    id_scores, ood_scores = sample_pair(pair, 50_000, seed=0)
    assert np.cov(id_scores.T) == pytest.approx(pair.id_covariance, rel=0.05)
    assert np.cov(ood_scores.T) == pytest.approx(pair.variance_ratio * pair.id_covariance, rel=0.05)
    assert ood_scores.mean(axis=0) - id_scores.mean(axis=0) == pytest.approx(pair.delta, abs=0.05)


def test_averaging_hurts_exactly_where_its_distance_is_below_the_better_taps():
    seen = set()
    for pair in SETTINGS:
        row = pair_curve(pair, "correlation", [pair.correlation]).iloc[0]
        hurts = bool(row["d2_avg"] < max(row["d2_e"], row["d2_d"]))
        assert bool(row["hurts"]) == hurts
        better = max(row["auroc_encoder"], row["auroc_decoder"])
        assert (row["auroc_average"] < better) == hurts
        measured = pair_detectors(pair, *sample_pair(pair, 20_000, seed=1)).set_index("combination")["auroc"]
        if abs(row["auroc_average"] - better) > 0.02:
            assert (measured["average"] < max(measured["encoder"], measured["decoder"])) == hurts
            seen.add(hurts)
    assert seen == {True, False}


def test_distances_follow_from_the_matrices_and_the_best_combination_has_all_of_d2():
    for pair in SETTINGS:
        row = pair_curve(pair, "shift_d", [pair.shift_d]).iloc[0]
        inverse = np.linalg.inv(pair.covariance)
        assert row["d2"] == pytest.approx(pair.delta @ inverse @ pair.delta)
        assert row["d2_e"] == pytest.approx(pair.delta[0] ** 2 / pair.covariance[0, 0])
        assert row["gain_d"] == pytest.approx(row["d2"] - row["d2_e"], abs=1e-9)
        assert row["d2_avg"] == pytest.approx(pair.delta.sum() ** 2 / pair.covariance.sum())
        best = pair.weights[COMBINATIONS.index("best")]
        assert (best @ pair.delta) ** 2 / (best @ pair.covariance @ best) == pytest.approx(row["d2"])
        assert row["auroc_best"] >= max(row["auroc_encoder"], row["auroc_decoder"], row["auroc_average"]) - 1e-12


def test_the_sample_statistics_of_the_complementarity_page_estimate_these():
    pair = SimulatedPair(shift_e=1.0, shift_d=0.6, sd_d=1.5, correlation=0.4)
    id_scores, ood_scores = sample_pair(pair, 20_000, seed=2)
    row = joint_separability(*id_scores.T[:, None], *ood_scores.T[:, None], resamples=50).iloc[0]
    exact = pair_curve(pair, "correlation", [0.4]).iloc[0]
    for name in ("d2", "d2_e", "d2_d", "d2_avg", "gain_d", "gain_e"):
        assert row[name] == pytest.approx(exact[name], abs=0.06)


def test_a_tap_without_signal_helps_when_it_shares_the_others_noise():
    row = pair_curve(SimulatedPair(shift_d=0.0, correlation=0.8), "correlation", [0.8]).iloc[0]
    assert row["auroc_decoder"] == pytest.approx(0.5)
    assert row["auroc_best"] > row["auroc_encoder"] > row["auroc_average"]


def test_no_signal_at_all_is_chance():
    pair = SimulatedPair(shift_e=0.0, shift_d=0.0)
    detectors = pair_detectors(pair, *sample_pair(pair, 200, seed=0))
    assert detectors["exact"].tolist() == [0.5] * 4
    assert detectors["auroc"].iloc[3] == 0.5  # no direction to look in
    assert not pair_curve(pair, "correlation", [0.0])["hurts"].any()


@pytest.mark.parametrize("wrong", [{"sd_e": 0}, {"sd_d": -1}, {"correlation": 1.0}, {"variance_ratio": 0}])
def test_settings_that_make_no_sense(wrong):
    with pytest.raises(ScoreError, match=next(iter(wrong))):
        SimulatedPair(**wrong)
    with pytest.raises(ScoreError, match="at least one value"):
        pair_curve(SimulatedPair(), "correlation", [])
