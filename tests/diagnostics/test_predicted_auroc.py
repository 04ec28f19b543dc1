"""(13) is exact for normal scores, (12) is never violated, and both say where they say nothing."""

import numpy as np
import pytest

from cfs_explore.diagnostics import ScoreError, auroc, cantelli_bound, normal_prediction


@pytest.mark.parametrize(("delta", "sd_id", "sd_ood"), [(0.0, 1, 1), (0.7, 1, 2), (2.5, 0.5, 1.5), (-1.0, 1, 1)])
def test_prediction_is_exact_for_normal_scores(delta, sd_id, sd_ood):
    rng = np.random.default_rng(0)
    measured = auroc(rng.normal(3, sd_id, 40_000), rng.normal(3 + delta, sd_ood, 40_000))
    predicted = normal_prediction(delta, sd_id**2, sd_ood**2)
    assert predicted == pytest.approx(measured.value, abs=0.008)


def test_prediction_from_a_known_correlation_matrix():
    """Correlated Gaussian features, OOD shifted by delta: Delta = |delta|^2 / d, Var_ID = 2 |R|_F^2 / d^2 (11) and
    Var_OOD = Var_ID + 4 delta' R delta / d^2 are known, and a mean of many weakly correlated squares is nearly normal.
    """
    rng = np.random.default_rng(1)
    d, n = 400, 5000
    weights = rng.choice([-0.08, 0.08], size=(d, 3))
    correlation = weights @ weights.T
    np.fill_diagonal(correlation, 1.0)
    shift = rng.normal(size=d) * 0.35
    scores = []
    for mean in (0.0, shift):
        own = rng.normal(size=(n, d)) * np.sqrt(1 - np.square(weights).sum(axis=1))
        scores.append(np.square(mean + own + rng.normal(size=(n, 3)) @ weights.T).mean(axis=1))
    var_id = 2 * np.square(correlation).sum() / d**2
    var_ood = var_id + 4 * shift @ correlation @ shift / d**2
    assert scores[0].var() == pytest.approx(var_id, rel=0.08)
    predicted = normal_prediction(np.square(shift).sum() / d, var_id, var_ood)
    assert 0.7 < predicted < 0.95
    assert predicted == pytest.approx(auroc(*scores).value, abs=0.015)


def draw(rng, n) -> np.ndarray:
    """Scores of some shape: skewed, heavy-tailed, bounded, two-peaked or with ties."""
    kind = rng.integers(6)
    scale, shift = rng.uniform(0.2, 3), rng.normal()
    values = [
        lambda: rng.normal(size=n),
        lambda: rng.lognormal(0, 1, n),
        lambda: rng.standard_t(3, n),
        lambda: rng.uniform(size=n),
        lambda: rng.normal(size=n) + 6 * (rng.uniform(size=n) < 0.2),
        lambda: rng.poisson(1.5, n).astype(float),
    ][kind]()
    return shift + scale * values


def test_the_bound_is_never_violated():
    """With a sample's own moments it is a theorem about that sample: not once in 400 odd pairs of distributions."""
    rng = np.random.default_rng(2)
    checked = closest = 0
    for _ in range(400):
        id_scores, ood_scores = draw(rng, rng.integers(2, 200)), draw(rng, rng.integers(2, 200))
        for ddof in (0, 1):
            variances = id_scores.var(ddof=ddof), ood_scores.var(ddof=ddof)
            bound = cantelli_bound(ood_scores.mean() - id_scores.mean(), *variances)
            if np.isfinite(bound):
                value = auroc(id_scores, ood_scores).value
                assert bound <= value + 1e-12
                checked, closest = checked + 1, max(closest, bound / value)
    assert checked > 300
    assert closest > 0.9  # it is not vacuous


def test_the_bound_is_reached_by_the_two_point_case():
    """Cantelli's extreme: all OOD images 1 apart from ID but for a share p far on the other side."""
    delta, variance = 1.0, 3.0
    share = variance / (variance + delta**2)  # of scores at 0, the rest at delta + variance / delta
    n = 4000
    ood = np.where(np.arange(n) < round(share * n), -1e-9, delta + variance / delta)
    value = auroc(np.zeros(n), ood).value
    assert value == pytest.approx(cantelli_bound(ood.mean(), 0.0, ood.var()), abs=1e-6)


def test_values_that_say_nothing():
    nan = np.nan
    np.testing.assert_array_equal(normal_prediction([1, 0, -1], 0.0, 0.0), [1, 0.5, 0])
    np.testing.assert_array_equal(normal_prediction([nan, 1, 1], [1, nan, 1], [1, 1, nan]), [nan] * 3)
    np.testing.assert_array_equal(cantelli_bound([0, -1, nan, 1, 1], [1, 1, 1, nan, 0], 0.0), [nan, nan, nan, nan, 1])
    assert cantelli_bound(2.0, 1.0, 3.0) == pytest.approx(0.5)
    assert normal_prediction(1e-300, 1, 1) == 0.5 and 0 <= cantelli_bound(1e-300, 1, 1) < 1e-200
    assert normal_prediction(np.ones((3, 1)), np.ones(4), 1.0).shape == (3, 4)


def test_the_two_rise_with_delta_and_fall_with_variance():
    delta = np.linspace(0.1, 5, 50)
    for function in (normal_prediction, cantelli_bound):
        assert (np.diff(function(delta, 1, 2)) > 0).all()
        assert (np.diff(function(1, delta, 2)) < 0).all()
    assert (cantelli_bound(delta, 1, 2) < normal_prediction(delta, 1, 2)).all()


@pytest.mark.parametrize("function", [normal_prediction, cantelli_bound])
def test_arguments_that_cannot_be(function):
    with pytest.raises(ScoreError, match="negative"):
        function(1.0, -0.1, 1.0)
    with pytest.raises(ScoreError, match="broadcast"):
        function(np.ones(3), np.ones(2), 1.0)
