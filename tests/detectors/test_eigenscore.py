"""EigenScore against the posterior's eigenvalues on Gaussian data, sigma^2 s / (s + sigma^2)."""

import numpy as np
import pytest
from linear_gaussian import random_gaussian

from cfs_explore import detectors
from cfs_explore.contracts import Cost
from cfs_explore.errors import CFSError
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.posterior_eigenvalues import PosteriorEigenvalues

LAMS = (2.14, 0.65, -0.43)


def exact(backbone, level):
    """Descending."""
    variance = np.exp(-level.lam)
    return np.sort(variance * backbone.values / (backbone.values + variance))[::-1]


@pytest.mark.parametrize("vectors", [1, 3])
def test_eigenvalues_are_the_posteriors_whatever_the_image(vectors):
    backbone = random_gaussian(spread=(0.01, 2.0), seed=1)
    levels = [backbone.match(lam) for lam in LAMS]
    reading = PosteriorEigenvalues(levels, vectors, iterations=600)
    noise = np.random.default_rng(0).standard_normal((2, 5, 1, 4, 4)).astype(np.float32)
    found = Reader(backbone, reading)(backbone.images(5), noise, list("abcde"))
    for level, rows in zip(levels, found, strict=True):
        wanted = np.broadcast_to(exact(backbone, level)[:vectors], (2, 5, vectors))
        np.testing.assert_allclose(rows[..., :vectors], wanted, rtol=2e-4)
        assert rows[..., vectors:].max() < 1e-2


def test_eight_iterations_stay_below_and_say_so():
    """||A v|| of a unit v is at most the largest eigenvalue; the residual is the part of A v beside v."""
    backbone = random_gaussian(spread=(0.5, 2.0), seed=1)
    detector = detectors.create("eigenscore")
    z = detector.read(backbone, np.clip(backbone.images(30), -1, 1))
    found, residuals = detector.eigenvalues(z), detector.residuals(z)
    wanted = np.array([exact(backbone, backbone.match(lam))[0] for lam in detector.lams])
    assert (found < wanted * 1.0001).all() and (found > 0.8 * wanted).all()
    assert (residuals > 1e-3).all() and residuals.max() < 0.5
    longer = detectors.create("eigenscore", iterations=40)
    z_longer = longer.read(backbone, np.clip(backbone.images(30), -1, 1))
    assert longer.residuals(z_longer).mean() < residuals.mean()
    assert (longer.eigenvalues(z_longer) >= found * 0.9999).all()
    assert detector.cost(backbone) == Cost(80, 0, 80.0) and longer.cost(backbone) == Cost(400, 0, 400.0)


def test_scores_are_summed_standard_scores_of_mean_eigenvalues(tiny, tiny_images):
    detector = detectors.create("eigenscore", lams=LAMS, vectors=2, iterations=2, draws=2)
    train, z = detector.read(tiny, tiny_images[:16]), detector.read(tiny, tiny_images[16:])
    assert train.shape == (2, 16, 3 * 4)
    scores = detector.fit(train).score(z)
    m, m_test = (part.astype(np.float64).mean(axis=0).reshape(-1, 3, 4)[..., :2].sum(axis=2) for part in (train, z))
    np.testing.assert_allclose(scores, ((m_test - m.mean(axis=0)) / m.std(axis=0)).sum(axis=1), rtol=1e-9)
    assert detector.residual_.shape == (3,) and "After 2 iterations" in detector.notes(tiny)[-1]


def test_bad_input_of_eigenscore(tiny, tiny_images):
    for options in ({"vectors": 0}, {"iterations": 0}, {"step": 0.0}):
        with pytest.raises(CFSError, match="must be at least 1"):
            detectors.create("eigenscore", **options)
    with pytest.raises(CFSError, match="must be one or more numbers"):
        detectors.create("eigenscore", lams=())
    with pytest.raises(CFSError, match="64 dimensions"):
        detectors.create("eigenscore", vectors=65).read(tiny, tiny_images)
    detector = detectors.create("eigenscore", iterations=1)
    with pytest.raises(CFSError, match="not fitted"):
        detector.score(np.zeros((1, 3, 10)))
    with pytest.raises(CFSError, match=r"\(draw, image, 10\)"):
        detector.fit(np.zeros((1, 3, 9)))
    with pytest.raises(CFSError, match="no spread"):
        detector.fit(np.ones((1, 3, 10)))
