"""The lab's sentence: where Delta comes from, what follows, and different words where nothing follows."""

import pytest

from cfs_explore.headlines.lab import one_tap_headline, two_taps_headline

SHIFT = {"delta": 0.25, "mean_shift": 0.25, "variance_change": 0.0, "effective_dimension": 39.3}
POINT = {"bound": 0.224, "prediction": 0.705, "auroc": 0.697, "lo": 0.674, "hi": 0.72}


def changed(base: dict, **changes) -> dict:
    return {**base, **changes}


def test_a_mean_shift_with_its_prediction_and_bound():
    text = one_tap_headline(SHIFT, POINT)
    assert "score 0.250 higher on average, all of it from the **mean shift**" in text
    assert "**39.3** independent features" in text
    assert "AUROC is **0.697 [0.674, 0.720]**, predicted 0.705" in text
    assert text.endswith("the bound, which holds for any distributions, is 0.224.")
    assert "chance" not in text


@pytest.mark.parametrize(
    ("shift", "change", "words"),
    [
        (0.0, 0.3, "all of it from the **variance change**"),
        (0.1, 0.3, "(25 % from the mean shift, the rest from the variance change)"),
        (0.5, -0.2, "(mean shift 0.500, variance change −0.200)"),
    ],
)
def test_where_delta_comes_from(shift, change, words):
    moments = changed(SHIFT, mean_shift=shift, variance_change=change, delta=shift + change)
    assert words in one_tap_headline(moments, POINT)


def test_a_single_effective_feature_is_singular():
    assert "**1** independent feature:" in one_tap_headline(changed(SHIFT, effective_dimension=1.0), POINT)


def test_a_sample_that_shows_nothing():
    text = one_tap_headline(SHIFT, changed(POINT, lo=0.49, hi=0.52, auroc=0.505))
    assert "not distinguishable from chance in this sample" in text


def test_lower_scores_have_no_bound():
    moments = changed(SHIFT, delta=-0.2, mean_shift=0.0, variance_change=-0.2)
    text = one_tap_headline(moments, changed(POINT, bound=float("nan"), auroc=0.3, lo=0.28, hi=0.32))
    assert "score 0.200 **lower**" in text
    assert "below chance. The bound does not apply when Δ is negative." in text
    assert "n/a" not in text


def test_equal_means():
    moments = changed(SHIFT, delta=0.0, mean_shift=0.0)
    point = changed(POINT, bound=float("nan"), auroc=0.5, lo=0.48, hi=0.52)
    assert "same mean score (Δ = 0)" in one_tap_headline(moments, point)
    assert "not distinguishable from chance in this sample" in one_tap_headline(moments, point)


EXACT = {"d2": 2.0, "d2_avg": 1.0, "hurts": True, "alone": 0.8, "auroc_average": 0.76}
DETECTORS = {
    name: {"auroc": value, "lo": value - 0.02, "hi": value + 0.02}
    for name, value in {"encoder": 0.8, "decoder": 0.6, "average": 0.75, "best": 0.82}.items()
}
DIFFERENCE = {"name": "encoder", "value": -0.05, "lo": -0.06, "hi": -0.04}


def test_averaging_hurts():
    text = two_taps_headline(EXACT, DETECTORS, DIFFERENCE)
    assert text.startswith(
        "Averaging **hurts**: AUROC 0.750 [0.730, 0.770] against 0.800 [0.780, 0.820] for the encoder"
    )
    assert "(difference −0.050 [−0.060, −0.040]);" in text
    assert "realises **50 %**" in text
    assert text.endswith("the best weighting reaches 0.820 [0.800, 0.840].")


def test_averaging_helps_but_the_sample_is_too_small():
    exact = changed(EXACT, hurts=False, auroc_average=0.81)
    text = two_taps_headline(exact, DETECTORS, changed(DIFFERENCE, value=0.01, lo=-0.01, hi=0.03))
    assert "Averaging **helps**" in text
    assert "too small for this sample to show" in text


def test_averaging_changes_nothing():
    text = two_taps_headline(changed(EXACT, hurts=False, auroc_average=0.8), DETECTORS, DIFFERENCE)
    assert text.startswith("Averaging changes nothing:")


def test_no_signal():
    assert "Neither tap carries a signal" in two_taps_headline(changed(EXACT, d2=0.0), DETECTORS, DIFFERENCE)
