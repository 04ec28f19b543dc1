"""Conditional information in bits (theory 9): the fit against scikit-learn's, and cases whose truth is known."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from cfs_explore.diagnostics import ScoreError, conditional_information
from cfs_explore.diagnostics.information import log_loss_bits, normal_scores


def gaussian(rng, pairs, n, mean, rho):
    """Two correlated normal scores, (pairs, n) each."""
    root = np.linalg.cholesky([[1, rho], [rho, 1]])
    both = root @ rng.normal(size=(pairs, 2, n)) + np.array(mean, dtype=float)[:, None]
    return both[:, 0], both[:, 1]


def true_bits(mean, rho, n=200_000):
    """I(Y; d | e) of two Gaussian classes at even odds: Monte Carlo with the exact likelihood ratio."""
    rng = np.random.default_rng(9)
    informations = []
    for mu, s in ((np.array(mean, dtype=float), np.array([[1, rho], [rho, 1]])), (np.array(mean[:1]), np.eye(1))):
        noise = np.linalg.cholesky(s) @ rng.normal(size=(mu.size, n))
        precision = np.linalg.inv(s)
        ratio = mu @ precision @ (noise + mu[:, None]) - mu @ precision @ mu / 2  # by symmetry one class suffices
        informations.append(1 - np.logaddexp(0, -ratio).mean() / np.log(2))
    return informations[0] - informations[1]


def test_the_fit_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    is_ood = np.arange(150) >= 90
    fold = rng.permutation(np.arange(150) % 5)
    basis = rng.normal(size=(1, 150, 3)) + is_ood[None, :, None] * np.array([0.5, 0.0, 1.5])
    got = log_loss_bits(basis, is_ood, fold)[0]
    for number in range(5):
        train, test = fold != number, fold == number
        weights = np.where(is_ood, 0.5 / is_ood[train].sum(), 0.5 / (~is_ood[train]).sum()) * train.sum()
        model = LogisticRegression(C=100.0, tol=1e-10, max_iter=1000)  # 1 / ridge
        model.fit(basis[0, train], is_ood[train], sample_weight=weights[train])
        log_odds = model.decision_function(basis[0, test]) * np.where(is_ood[test], 1, -1)
        np.testing.assert_allclose(got[test], np.logaddexp(0, -log_odds) / np.log(2), rtol=2e-3, atol=2e-4)


def test_normal_scores_are_those_of_mid_ranks():
    from scipy.stats import norm, rankdata

    scores = np.random.default_rng(1).normal(size=(3, 40)).round(1)
    np.testing.assert_allclose(normal_scores(scores), norm.ppf((rankdata(scores, axis=1) - 0.5) / 40))
    np.testing.assert_allclose(normal_scores(np.exp(scores)), normal_scores(scores))
    assert (normal_scores(np.ones((1, 7))) == 0).all()


@pytest.mark.parametrize(("mean", "rho"), [((1, 1.5), 0.5), ((0.5, 1.0), -0.3), ((3, 4), 0.5)])
def test_gaussian_information_is_found(mean, rho):
    rng = np.random.default_rng(2)
    id_scores, ood_scores = gaussian(rng, 60, 400, (0, 0), rho), gaussian(rng, 60, 300, mean, rho)
    table = conditional_information(id_scores[0], id_scores[1], ood_scores[0], ood_scores[1])
    truth = true_bits(mean, rho)
    assert table["bits_d"].mean() == pytest.approx(truth, abs=0.012)
    assert ((table["bits_d_lo"] <= truth) & (truth <= table["bits_d_hi"])).mean() >= 0.85
    halves = (table["bits_d_hi"] - table["bits_d_lo"]) / 2 / 1.96
    assert halves.mean() == pytest.approx(table["bits_d"].std(), rel=0.35)


def test_noise_adds_nothing():
    rng = np.random.default_rng(3)
    id_e, ood_e = rng.normal(size=(60, 400)), rng.normal(1, 1, size=(60, 300))
    id_d, ood_d = rng.normal(size=(60, 400)), rng.normal(size=(60, 300))
    table = conditional_information(id_e, id_d, ood_e, ood_d)
    assert table["bits_d"].mean() == pytest.approx(0, abs=0.01)
    assert (table["bits_d_lo"] > 0).mean() <= 0.05
    assert (table["bits_e_lo"] > 0).all()  # the encoder adds to noise what it has alone
    assert table["bits_e"].to_numpy() == pytest.approx(1 - table["loss_e"].to_numpy(), abs=0.03)


def test_a_copy_and_a_constant_add_nothing():
    rng = np.random.default_rng(4)
    id_e, ood_e = rng.normal(size=(3, 200)), rng.normal(1, 1, size=(3, 200))
    copy = conditional_information(id_e, np.exp(id_e), ood_e, np.exp(ood_e))
    assert np.abs(copy[["bits_d", "bits_e"]].to_numpy()).max() < 0.005
    flat = conditional_information(id_e, np.ones((3, 200)), ood_e, np.ones((3, 200)))
    assert np.abs(flat["bits_d"].to_numpy()).max() < 1e-9
    np.testing.assert_allclose(flat["loss_d"], 1.0)


def test_nothing_is_claimed_beside_a_perfect_score():
    rng = np.random.default_rng(5)
    id_e, ood_e = rng.uniform(0, 1, size=(4, 300)), rng.uniform(2, 3, size=(4, 200))
    id_d, ood_d = rng.normal(size=(4, 300)), rng.normal(2, 1, size=(4, 200))
    table = conditional_information(id_e, id_d, ood_e, ood_d)
    assert (table["bits_d_lo"] <= 0).all()
    assert (table["loss_e"] < 0.03).all()
    assert (table["bits_e_lo"] > 0.2).all()


def test_set_sizes_do_not_decide():
    """Both classes count one half: fewer ID images give the same number, not the number of other odds."""
    rng = np.random.default_rng(6)
    id_scores, ood_scores = gaussian(rng, 40, 1200, (0, 0), 0.3), gaussian(rng, 40, 200, (1, 1), 0.3)
    table = conditional_information(id_scores[0], id_scores[1], ood_scores[0], ood_scores[1])
    assert table["bits_d"].mean() == pytest.approx(true_bits((1, 1), 0.3), abs=0.012)


def test_small_sets_and_bad_input():
    few = conditional_information(np.ones((2, 50)), np.ones((2, 50)), np.ones((2, 1)), np.ones((2, 1)))
    assert len(few) == 2 and few.isna().all(axis=None)
    with pytest.raises(ScoreError, match="same images"):
        conditional_information(np.ones((2, 50)), np.ones((2, 49)), np.ones((2, 20)), np.ones((2, 20)))
    with pytest.raises(ScoreError, match="finite"):
        conditional_information(np.ones((2, 50)), np.full((2, 50), np.nan), np.ones((2, 20)), np.ones((2, 20)))
    rng = np.random.default_rng(7)
    arrays = [rng.normal(size=(1, 40)) for _ in range(4)]
    first, again, other = (conditional_information(*arrays, seed=seed) for seed in (0, 0, 1))
    assert (first == again).all(axis=None) and (first != other).any(axis=None)
