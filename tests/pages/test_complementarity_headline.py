"""The complementarity headline says no more than its intervals do."""

import math

import pytest

from cfs_explore.headlines.complementarity import complementarity_headline

ROW = {
    "auroc_e": 0.7,
    "auroc_d": 0.8,
    "auroc_avg": 0.84,
    "better": "decoder",
    "auroc_gain": 0.04,
    "auroc_gain_lo": 0.02,
    "auroc_gain_hi": 0.06,
    "adjusted_d": 0.6,
    "adjusted_d_lo": 0.55,
    "adjusted_d_hi": 0.65,
}


def said(**changes) -> str:
    return complementarity_headline(ROW | changes, 5.0, "the encoder", "the decoder").replace("**", "")


def test_a_gain_is_given_with_its_interval_and_the_better_one():
    text = said()
    assert text.startswith("At λ = 5.0, the encoder adds 0.040 [0.020, 0.060] AUROC to the decoder (paired);")
    assert "the decoder adds 0.040" in said(better="encoder", auroc_e=0.85)
    assert "among images that the encoder scores alike, the decoder still tells OOD from ID (AUROC 0.600" in text


def test_an_average_that_costs_is_not_called_a_gain():
    text = said(auroc_gain=-0.04, auroc_gain_lo=-0.06, auroc_gain_hi=-0.02)
    assert "averaging in the encoder costs 0.040 [0.020, 0.060] AUROC compared with the decoder alone" in text
    assert "adds" not in text


@pytest.mark.parametrize(("value", "written"), [(0.004, "+0.004"), (-0.004, "−0.004"), (0.0, " 0.000")])
def test_an_interval_with_zero_is_undecided(value, written):
    text = said(auroc_gain=value, auroc_gain_lo=value - 0.02, auroc_gain_hi=value + 0.02)
    assert "not clearly better or worse than the decoder alone" in text and written in text
    assert "adds" not in text and "costs" not in text


def test_the_adjusted_auroc_decides_what_the_decoder_knows():
    assert "the decoder does not clearly tell OOD from ID" in said(adjusted_d_lo=0.48)
    assert "scores OOD lower than ID" in said(adjusted_d=0.4, adjusted_d_lo=0.35, adjusted_d_hi=0.45)
    assert "No OOD image scores like an ID image in the encoder" in said(
        adjusted_d=math.nan, adjusted_d_lo=math.nan, adjusted_d_hi=math.nan
    )


def test_perfect_scores_leave_nothing():
    nothing = {"auroc_gain": 0.0, "auroc_gain_lo": -0.01, "auroc_gain_hi": 0.01}
    missing = {f"adjusted_d{end}": math.nan for end in ("", "_lo", "_hi")}
    text = said(auroc_e=1.0, auroc_d=1.0, better="encoder", **nothing, **missing)
    assert text == "At λ = 5.0, the encoder and the decoder each separate every image alone: nothing is left to add."
    text = said(auroc_e=1.0, better="encoder", **nothing, **missing)
    assert text.endswith("the encoder alone already separates every image: nothing is left for the decoder to add.")
    assert "the decoder still tells" in said(auroc_d=1.0, **nothing)


def test_saturated_scores_are_no_evidence():
    text = said(auroc_d=0.9961, auroc_avg=0.9990, auroc_gain=0.0029, auroc_gain_lo=0.001, auroc_gain_hi=0.005)
    assert "a comparison with the encoder is no evidence" in text and "paired" not in text


def test_too_few_images_are_said():
    assert "too few images to compare the encoder and the decoder" in said(auroc_gain=math.nan)
