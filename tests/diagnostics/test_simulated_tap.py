"""The simulated tap: closed forms against brute force and against large samples, and what the sample measures."""

from dataclasses import replace

import numpy as np
import pytest

from cfs_explore.diagnostics import ScoreError, auroc, cantelli_bound, normal_prediction
from cfs_explore.diagnostics.simulation import PATTERNS, SimulatedTap, sample_tap, tap_curve, tap_moments, tap_summary

TAPS = [
    SimulatedTap(channels=1, correlation=0.0, shift=1.0),
    SimulatedTap(channels=16, correlation=0.4, shift=0.7, share=0.25, variance_ratio=1.3),
    SimulatedTap(channels=24, correlation=0.8, shift=0.4, share=0.5, variance_ratio=0.6, pattern="neighbours"),
    SimulatedTap(channels=64, correlation=0.0, shift=0.0, variance_ratio=1.2),
]


def matrices(tap: SimulatedTap) -> tuple[np.ndarray, np.ndarray]:
    """R entry by entry, and the shift vector."""
    correlation = np.empty((tap.channels, tap.channels))
    for i in range(tap.channels):
        for j in range(tap.channels):
            apart = abs(i - j)
            correlation[i, j] = (
                tap.correlation**apart if tap.pattern == "neighbours" else tap.correlation ** min(apart, 1)
            )
    return correlation, np.where(np.arange(tap.channels) < tap.shifted, tap.shift, 0.0)


@pytest.mark.parametrize("tap", TAPS)
def test_moments_are_those_of_a_quadratic_form(tap):
    correlation, shift = matrices(tap)
    d, moments = tap.channels, tap_moments(tap)
    ood = tap.variance_ratio * correlation
    assert moments.mean_shift == pytest.approx(shift @ shift / d)
    assert moments.delta == pytest.approx((np.trace(ood) + shift @ shift) / d - 1)
    assert moments.delta == pytest.approx(moments.mean_shift + moments.variance_change)
    assert moments.var_id == pytest.approx(2 * np.trace(correlation @ correlation) / d**2)
    assert moments.var_ood == pytest.approx((2 * np.trace(ood @ ood) + 4 * shift @ ood @ shift) / d**2)
    assert moments.effective_dimension == pytest.approx(d**2 / np.sum(correlation**2))
    assert moments.var_id == pytest.approx(2 / moments.effective_dimension)


@pytest.mark.parametrize("tap", TAPS)
def test_samples_have_the_stated_covariance_and_the_moments(tap):
    sample = sample_tap(tap, 40_000, seed=3)
    correlation, shift = matrices(tap)
    for features, covariance, mean in (
        (sample.id, correlation, np.zeros_like(shift)),
        (sample.ood, tap.variance_ratio * correlation, shift),
    ):
        assert features.mean(axis=1) == pytest.approx(mean, abs=0.03)
        assert np.atleast_2d(np.cov(features)) == pytest.approx(covariance, abs=0.05)
    summary = tap_summary(tap, sample).set_index("quantity")
    widened = (summary["hi"] - summary["lo"]) / 2 * 0.8 + 1e-4  # 3.5 standard errors from the middle
    off = (summary["measured"] - summary["exact"]).abs()
    assert (off <= (summary["hi"] - summary["lo"]) / 2 + widened).all(), summary
    assert (summary["hi"] - summary["lo"] < 0.25 * summary["exact"].abs() + 0.05).all()  # else nothing would be tested


def test_intervals_of_the_summary_cover_as_they_say():
    tap = TAPS[1]
    inside = np.zeros(6)
    for seed in range(200):
        summary = tap_summary(tap, sample_tap(tap, 400, seed))
        inside += ((summary["lo"] <= summary["exact"]) & (summary["exact"] <= summary["hi"])).to_numpy()
    assert (inside / 200 > 0.89).all() and (inside / 200 < 0.995).all(), inside


def test_measured_parts_add_up_to_the_difference_of_the_mean_scores():
    sample = sample_tap(TAPS[2], 500, seed=1)
    measured = tap_summary(TAPS[2], sample).set_index("quantity")["measured"]
    id_scores, ood_scores = sample.scores
    assert measured["delta"] == pytest.approx(ood_scores.mean() - id_scores.mean(), abs=1e-12)
    assert measured["delta"] == pytest.approx(measured["mean_shift"] + measured["variance_change"], abs=1e-12)
    assert id_scores == pytest.approx((sample.id**2).mean(axis=0))


@pytest.mark.parametrize(
    ("setting", "values"), [("shift", [0, 0.3, 0.6]), ("channels", [4, 16, 64]), ("correlation", [0, 0.5])]
)
def test_a_curve_is_its_points_one_by_one(setting, values):
    tap = TAPS[1]
    curve = tap_curve(tap, setting, values, 300, seed=5)
    assert curve[setting].tolist() == values
    for row in curve.to_dict("records"):
        own = replace(tap, **{setting: row[setting]})
        moments = tap_moments(own)
        three = moments.delta, moments.var_id, moments.var_ood
        measured = auroc(*sample_tap(own, 300, seed=5).scores)
        assert (row["auroc"], row["lo"], row["hi"]) == pytest.approx(tuple(measured))
        assert row["prediction"] == pytest.approx(float(normal_prediction(*three)))
        assert row["bound"] == pytest.approx(float(cantelli_bound(*three)))


def test_the_bound_is_never_above_what_is_measured():
    for tap in TAPS:
        curve = tap_curve(tap, "shift", np.linspace(0, 3, 13), 2000, seed=2)
        bounded = curve.dropna(subset="bound")
        assert len(bounded) >= 8
        assert (bounded["bound"] <= bounded["hi"]).all()


def test_many_independent_channels_make_the_prediction_good_and_few_do_not():
    many, few = (tap_curve(SimulatedTap(channels=d), "shift", [0.2, 2.0], 20_000, seed=0) for d in (256, 1))
    assert (many["prediction"] - many["auroc"]).abs().max() < 0.012
    assert (few["prediction"] - few["auroc"]).abs().max() > 0.03


def test_the_same_seed_keeps_the_images_and_another_changes_them():
    tap, wider = SimulatedTap(channels=8), SimulatedTap(channels=16)
    same, again, other = (sample_tap(each, 50, seed) for each, seed in ((tap, 1), (wider, 1), (tap, 2)))
    assert np.array_equal(same.id, again.id[:8])
    assert not np.array_equal(same.id, other.id)
    assert not np.array_equal(same.id, same.ood - tap.shift)


def test_shifted_channels_alone():
    tap = SimulatedTap(channels=40, shift=2.0, share=0.05)
    sample = sample_tap(tap, 500, seed=0)
    assert tap.shifted == 2
    assert auroc(*sample.subset(2).scores).lo > auroc(*sample.scores).hi


WRONG = {"channels": 0, "correlation": 1.0, "shift": float("nan"), "share": 0, "variance_ratio": 0, "pattern": "x"}


@pytest.mark.parametrize(("name", "value"), WRONG.items())
def test_settings_that_make_no_sense(name, value):
    with pytest.raises(ScoreError, match=name):
        SimulatedTap(**{name: value})


def test_too_few_images_and_no_values():
    assert set(PATTERNS) == {"equal", "neighbours"}
    tap = SimulatedTap(channels=4)
    with pytest.raises(ScoreError, match="at least 1"):
        sample_tap(tap, 0, 0)
    with pytest.raises(ScoreError, match="at least 2"):
        tap_summary(tap, sample_tap(tap, 1, 0))
    with pytest.raises(ScoreError, match="at least one value"):
        tap_curve(tap, "shift", [], 10, 0)
