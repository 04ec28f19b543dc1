"""Aligning by a curve: analytic curves, plateaus, ends, and sampling noise."""

import numpy as np
import pandas as pd
import pytest

from cfs_explore.diagnostics import ScoreError, aligned_lams, has_aligned

LAMS = np.arange(-8, 9.25, 0.5)
REQUESTED = [7.0, 5.0, 3.0, 1.0, -1.0, -3.0]


def curve(function, lams=LAMS, kind="score_norm"):
    return pd.DataFrame({"lam": lams, kind: function(np.asarray(lams, dtype=float))})


def falling(lam):
    return 1 / (1 + np.exp(lam / 2))


@pytest.mark.parametrize("kind", ["score_norm", "perceptual"])
def test_a_curve_aligned_to_itself_gives_the_request(kind):
    own = curve(falling, kind=kind)
    assert aligned_lams(own, own, REQUESTED, kind) == pytest.approx(REQUESTED, abs=1e-9)
    assert all(has_aligned(own, own, REQUESTED, kind))


def test_a_noisy_curve_aligned_to_itself_gives_the_request_too():
    noise = 0.02 * np.random.default_rng(0).normal(size=len(LAMS))
    own = curve(lambda lam: falling(lam) + noise).assign(score_norm_se=0.02)
    assert aligned_lams(own, own, REQUESTED, "score_norm") == pytest.approx(REQUESTED, abs=1e-9)


def test_a_shifted_curve_moves_every_request_by_the_shift():
    own, reference = curve(lambda lam: falling(lam + 1)), curve(falling)
    found = aligned_lams(own, reference, REQUESTED, "score_norm")
    assert found == pytest.approx([lam - 1 for lam in REQUESTED], abs=0.02)  # lines between points


def test_straight_lines_are_exact_and_the_order_of_rows_does_not_matter():
    own = curve(lambda lam: 0.5 - 0.02 * lam).sample(frac=1, random_state=0)
    reference = curve(lambda lam: 0.5 - 0.04 * lam)
    assert aligned_lams(own, reference, [1.0, 4.0, -2.0], "score_norm") == pytest.approx([2.0, 8.0, -4.0])


def test_on_a_plateau_the_nearest_to_the_request_is_taken():
    own = curve(lambda lam: np.where(lam > 0, 0.5 - 0.05 * lam, 0.5))
    reference = curve(lambda lam: np.where(lam > 2, 0.6 - 0.05 * lam, 0.5))
    assert aligned_lams(own, reference, [-3.0, 1.0, 4.0], "score_norm") == pytest.approx([-3.0, 0.0, 2.0])


def test_a_value_that_the_backbone_never_has_gives_the_nearest_end():
    own, reference = curve(lambda lam: 0.5 - 0.01 * lam), curve(lambda lam: 0.5 - 0.04 * lam)
    requested = [8.0, 0.0, -7.0]
    assert aligned_lams(own, reference, requested, "score_norm") == pytest.approx([9.0, 0.0, -8.0])
    assert has_aligned(own, reference, requested, "score_norm") == [False, True, False]


def test_requests_beyond_the_reference_take_its_end():
    own, short = curve(falling), curve(falling, lams=np.arange(-2.0, 6.5, 0.5))
    assert aligned_lams(own, short, [8.0, -5.0], "score_norm") == pytest.approx([6.0, -2.0])
    assert has_aligned(own, short, [8.0, 6.2, -5.0], "score_norm") == [False, True, False]


def test_differences_within_the_standard_error_do_not_move_a_flat_curve():
    """A network near its limit: what is left of the curve's slope is smaller than its noise."""
    own = curve(lambda lam: 1 - 1e-4 * lam)
    reference = own.assign(score_norm=own["score_norm"] + 5e-4)
    assert aligned_lams(own, reference, [1.0], "score_norm") == pytest.approx([-4.0])
    known = reference.assign(score_norm_se=1e-3)
    assert aligned_lams(own, known, [1.0], "score_norm") == pytest.approx([1.0])


def test_requests_keep_their_order():
    rng = np.random.default_rng(3)
    own, reference = (
        curve(lambda lam: falling(lam) + 0.05 * rng.normal(size=len(LAMS))).assign(
            score_norm_se=rng.uniform(0, 0.1, len(LAMS))
        )
        for _ in range(2)
    )
    requested = list(np.linspace(9, -8, 60))
    assert (np.diff(aligned_lams(own, reference, requested, "score_norm")) <= 0).all()


def test_what_cannot_be_aligned_is_refused():
    own = curve(falling)
    with pytest.raises(ScoreError, match="score_norm, perceptual"):
        aligned_lams(own, own, [1.0], "logsnr")
    with pytest.raises(ScoreError, match="has no perceptual"):
        aligned_lams(own, own, [1.0], "perceptual")
    with pytest.raises(ScoreError, match="at least two points"):
        aligned_lams(own.iloc[:1], own, [1.0], "score_norm")
    with pytest.raises(ScoreError, match="finite"):
        aligned_lams(own.assign(score_norm=np.nan), own, [1.0], "score_norm")
