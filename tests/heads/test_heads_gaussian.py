"""On Gaussian features the scores of the heads have known distributions."""

import numpy as np
import pytest

from cfs_explore import heads

#: Variances of independent standardised directions, mixed by a rotation.
LAMBDAS = np.array([5.0, 3.0, 2.0, 1.0, 0.5, 0.3, 0.15, 0.05])
D = len(LAMBDAS)


def gaussian(n, seed):
    """Features (n, 8) whose correlation matrix is known: variances LAMBDAS along the columns of a rotation."""
    rotation = np.linalg.qr(np.random.default_rng(3).normal(size=(D, D)))[0]
    return (np.random.default_rng(seed).normal(size=(n, D)) * np.sqrt(LAMBDAS)) @ rotation.T, rotation


@pytest.fixture(scope="module")
def sets():
    return gaussian(40_000, 0)[0], gaussian(40_000, 1)[0]


def test_mahalanobis_is_chi_square(sets):
    """Of d degrees: mean d, variance 2d."""
    train, test = sets
    scores = heads.LedoitWolf().fit(train).score(test)
    assert scores.mean() == pytest.approx(D, rel=0.02)
    assert scores.var() == pytest.approx(2 * D, rel=0.05)


def test_residual_is_a_weighted_chi_square(sets):
    """Residual^2 = sum over the eigenvalues outside of lambda chi^2: mean sum lambda, variance 2 sum lambda^2."""
    train, test = sets
    covariance = np.cov(gaussian(400_000, 2)[0].T)
    scale = np.sqrt(np.diag(covariance))
    outside = np.linalg.eigvalsh(covariance / np.outer(scale, scale))[: D - D // 2]
    squares = heads.ViMResidual().fit(train).score(test) ** 2
    assert squares.mean() == pytest.approx(outside.sum(), rel=0.02)
    assert squares.var() == pytest.approx(2 * (outside**2).sum(), rel=0.05)


def test_clipping_weakens_a_distance_that_rests_on_the_excess(sets):
    """A mean shift of 3 standard deviations in each feature: the clipped distance finds less of it."""
    train, test = sets
    far = test[:2_000] + 3 * train.std(axis=0)

    def auroc(head):
        own, out = head.fit(train[:4_000]).score(test[2_000:4_000]), head.score(far)
        return (np.searchsorted(np.sort(own), out) / len(own)).mean()

    assert 0.5 < auroc(heads.ClippedMahalanobis()) < auroc(heads.LedoitWolf())
