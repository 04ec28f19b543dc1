"""Covariate-adjusted AUROC (theory 8): the definition, one half where nothing is added, and coverage."""

import numpy as np
import pytest

from cfs_explore.diagnostics import ScoreError, adjusted_auroc, auroc


def slow_adjusted(id_scores, ood_scores, id_covariate, ood_covariate, bins):
    """Bin by bin, pair by pair."""
    edges = np.quantile(np.concatenate([id_covariate, ood_covariate]), np.arange(1, bins) / bins)
    above = pairs = 0.0
    for number in range(bins):
        rows = [np.flatnonzero(np.digitize(part, edges) == number) for part in (id_covariate, ood_covariate)]
        n_id, n_ood = map(len, rows)
        if n_id and n_ood:
            inside = sum(
                (ood_scores[j] > id_scores[i]) + 0.5 * (ood_scores[j] == id_scores[i]) for i in rows[0] for j in rows[1]
            )
            above += n_id * n_ood * (inside / (n_id * n_ood))
            pairs += n_id * n_ood
    return above / pairs


@pytest.mark.parametrize("bins", [1, 3, 12])
@pytest.mark.parametrize("decimals", [3, 0])
def test_against_the_definition(bins, decimals):
    rng = np.random.default_rng(0)
    parts = [rng.normal(shift, 1, size=n).round(decimals) for shift, n in ((0, 60), (0.7, 45), (0, 60), (0.5, 45))]
    got = adjusted_auroc(*parts, bins=bins)
    assert got.value == pytest.approx(slow_adjusted(*parts, bins))
    assert got.lo <= got.value <= got.hi
    assert got.bins == bins


def test_one_bin_is_the_plain_auroc():
    rng = np.random.default_rng(1)
    parts = [rng.normal(shift, 1, size=n) for shift, n in ((0, 200), (0.7, 150), (0, 200), (0.5, 150))]
    plain, got = auroc(*parts[:2]), adjusted_auroc(*parts, bins=1)
    assert got.value == pytest.approx(plain.value)
    assert (got.lo, got.hi) == pytest.approx((plain.lo, plain.hi), abs=0.01)
    flat = adjusted_auroc(*parts[:2], np.ones(200), np.ones(150))
    assert flat.value == pytest.approx(plain.value)
    assert (flat.n_id, flat.n_ood) == (200, 150)


def conditionally_independent(rng, n_id, n_ood, separation, noise):
    """A score that is the covariate and noise: alone it separates, beside the covariate it knows nothing."""
    covariates = rng.normal(size=n_id), rng.normal(separation, 1, size=n_ood)
    return *(part + noise * rng.normal(size=part.size) for part in covariates), *covariates


@pytest.mark.parametrize(("separation", "noise"), [(0.0, 1.0), (1.5, 0.5), (2.5, 1.0)])
def test_nothing_added_is_one_half_and_covered(separation, noise):
    rng = np.random.default_rng(2)
    values, covered = [], []
    for _ in range(250):
        parts = conditionally_independent(rng, 240, 160, separation, noise)
        got = adjusted_auroc(*parts)
        values.append(got.value)
        covered.append(got.lo <= 0.5 <= got.hi)
    assert np.mean(values) == pytest.approx(0.5, abs=0.015)
    assert 0.91 <= np.mean(covered) <= 0.99
    if separation:
        assert auroc(*parts[:2]).lo > 0.7  # the plain AUROC sees what the covariate knows


def test_what_is_added_is_found_and_covered():
    """Inside every bin the score shifts by 0.8 standard deviations, whatever the covariate."""
    from scipy.stats import norm

    rng = np.random.default_rng(3)
    covered = []
    for _ in range(250):
        id_covariate, ood_covariate = rng.normal(size=240), rng.normal(1, 1, size=160)
        parts = rng.normal(size=240), rng.normal(0.8, 1, size=160), id_covariate, ood_covariate
        got = adjusted_auroc(*parts)
        covered.append(got.lo <= norm.cdf(0.8 / np.sqrt(2)) <= got.hi)
    assert 0.9 <= np.mean(covered) <= 0.98


def test_many_bins_leave_less_of_the_covariate():
    """The residual confounding that the default number of bins is chosen to avoid."""
    parts = conditionally_independent(np.random.default_rng(4), 4000, 4000, 1.5, 0.25)
    few, default = adjusted_auroc(*parts, bins=5), adjusted_auroc(*parts)
    assert few.value > 0.55
    assert abs(default.value - 0.5) < 0.02


def test_no_shared_bin_has_no_answer():
    rng = np.random.default_rng(5)
    low, high = rng.uniform(0, 1, 80), rng.uniform(2, 3, 75)  # the middle bin reaches across the gap
    for id_covariate, ood_covariate in ((low, high), (high, low)):
        parts = rng.normal(size=id_covariate.size), rng.normal(size=ood_covariate.size)
        got = adjusted_auroc(*parts, id_covariate, ood_covariate)
        assert np.isnan([got.value, got.lo, got.hi]).all()
        assert (got.n_id, got.n_ood) == (0, 0)


def test_perfect_inside_the_bins_is_not_certain():
    rng = np.random.default_rng(6)
    covariate = rng.normal(size=40)
    got = adjusted_auroc(rng.uniform(0, 1, 40), rng.uniform(2, 3, 40), covariate, covariate)
    assert got.value == got.hi == 1
    assert 0.7 < got.lo < 1


def test_small_sets_and_bad_input():
    rng = np.random.default_rng(7)
    one = adjusted_auroc(rng.normal(size=60), np.ones(1), rng.normal(size=60), np.zeros(1))
    assert 0 <= one.lo <= one.value <= one.hi <= 1 and one.n_ood == 1
    with pytest.raises(ScoreError, match="same images"):
        adjusted_auroc(np.ones(4), np.ones(3), np.ones(3), np.ones(3))
    with pytest.raises(ScoreError, match="at least 1"):
        adjusted_auroc(*[np.ones(3)] * 4, bins=0)
