"""Likelihoods and what is made of them against exact Gaussian densities."""

import math

import numpy as np
import pytest
from exact_draws import exact_draws
from linear_gaussian import LinearGaussian, random_gaussian

from cfs_explore import detectors
from cfs_explore.contracts import Cost
from cfs_explore.detectors.likelihood import trapezoid
from cfs_explore.errors import CFSError
from cfs_explore.readings.png_length import png_bits

#: Wide and fine enough that the trapezoid is the integral.
WIDE = tuple(np.linspace(22, -22, 441))
SHARING = ("nll", "typicality", "input_complexity", "dose", "band_ratio", "likelihood_ratio")


@pytest.fixture(scope="module")
def backbone():
    return random_gaussian((1, 2, 2), spread=(0.02, 0.06), reach=(-30, 30), seed=4)


def gaussian_nll(backbone, images):
    u = images.reshape(len(images), -1) - backbone.mean
    values = np.linalg.slogdet(2 * np.pi * backbone.covariance)[1]
    return 0.5 * (values + (u @ np.linalg.inv(backbone.covariance) * u).sum(axis=1))


def read(detector, backbone, images):
    return detector.read(backbone, images, noise=exact_draws(backbone.input_shape, len(images)), batch_size=4096)


def test_the_nll_is_the_gaussian_one(backbone):
    images = np.clip(np.concatenate([backbone.images(4), backbone.images(3) + np.float32(0.4)]), -1, 1)
    detector = detectors.create("nll", lams=WIDE)
    z = read(detector, backbone, images)
    np.testing.assert_allclose(detector.fit(z).score(z), gaussian_nll(backbone, images), atol=2e-3)


def test_twenty_levels_truncate_but_keep_the_order(backbone):
    images = np.clip(backbone.images(40) * 2, -1, 1)
    detector = detectors.create("nll")
    scores = detector.score(read(detector, backbone, images))
    assert len(detector.lams_) == 20 and detector.lams_[[0, -1]] == pytest.approx([10, -10])
    assert np.corrcoef(scores, gaussian_nll(backbone, images))[0, 1] > 0.999
    assert detector.cost(backbone) == Cost(20, 0, 20.0) and detector.notes(backbone) == []


def test_typicality_is_blind_where_the_nll_is_the_mean(backbone):
    detector = detectors.create("typicality", lams=WIDE)
    train = np.clip(backbone.images(60), -1, 1)
    detector.fit(read(detector, backbone, train))
    mean = gaussian_nll(backbone, train).mean()
    assert detector.centre_ == pytest.approx(mean, abs=2e-3)
    far = backbone.mean.reshape(1, 2, 2) + np.stack([np.zeros((1, 2, 2)), np.full((1, 2, 2), 0.5)])
    u = np.linalg.cholesky(backbone.covariance) @ np.array([1.0, 0, 0, 0])  # a single direction, no ID image
    u *= math.sqrt(2 * (mean - gaussian_nll(backbone, far[:1])[0]))
    blind = (backbone.mean + u).reshape(1, 1, 2, 2)
    images = np.concatenate([far, blind]).astype(np.float32)
    scores = detector.score(read(detector, backbone, images))
    np.testing.assert_allclose(scores, np.abs(gaussian_nll(backbone, images) - mean), atol=4e-3)
    assert scores[2] == pytest.approx(0, abs=4e-3) and scores[:2].min() > 0.5


def test_a_ratio_of_two_backbones_is_that_of_their_densities(backbone):
    other = LinearGaussian(np.zeros((1, 2, 2)), np.full(4, 0.2), reach=(-30, 25))
    other.fingerprint = "another"
    detector = detectors.create("likelihood_ratio", lams=WIDE, background=other)
    train, images = (np.clip(backbone.images(n, seed=n) * 1.3, -1, 1) for n in (40, 11))
    detector.fit(read(detector, backbone, train))
    exact, exact_test = (gaussian_nll(backbone, x) - gaussian_nll(other, x) for x in (train, images))
    found = detector.score(read(detector, backbone, images))
    np.testing.assert_allclose(found, (exact_test - exact.mean()) / exact.std(), atol=4e-3)
    assert detector.cost(backbone) == Cost(882, 0, 882.0) and "Two backbones" in detector.notes(backbone)[0]


def test_bands_are_parts_of_the_integral(backbone):
    """E||e - eps||^2 = sum_i (a^4 s_i^2 + ...) in closed form, integrated on each side of the split."""
    detector = detectors.create("band_ratio", lams=np.linspace(10, -10, 401), split=1.37)
    train, images = (np.clip(backbone.images(n, seed=n), -1, 1) for n in (30, 7))
    z_train, z = read(detector, backbone, train), read(detector, backbone, images)
    lams = np.linspace(-10, 10, 40001)
    a2, b2 = 1 / (1 + np.exp(-lams)), 1 / (1 + np.exp(lams))
    u = ((images.reshape(7, -1) - backbone.mean) @ backbone.basis)[:, :, None] ** 2
    s = backbone.values[:, None]
    # e - eps = (I - b^2 C^-1) e - a b C^-1 u, with C = a^2 s + b^2
    errors = ((a2 * s) ** 2 + a2 * b2 * u) / (a2 * s + b2) ** 2
    halves = 0.5 * np.diff(lams) * (errors.sum(axis=1)[:, 1:] + errors.sum(axis=1)[:, :-1]) / 2
    fine = lams[1:] > 1.37
    exact = np.stack([halves[:, ~fine].sum(axis=1), halves[:, fine].sum(axis=1)], axis=1)
    np.testing.assert_allclose(detector.bands(z), exact, rtol=2e-3)
    detector.fit(z_train)
    coarse, fine = ((detector.bands(z) - detector.bands(z_train).mean(axis=0)) / detector.bands(z_train).std(axis=0)).T
    np.testing.assert_allclose(detector.score(z), coarse - fine, rtol=1e-9)


def test_trapezoid_weights():
    lams = np.array([1.0, -2.0, 0.0, 5.0])  # in any order
    line = 3 * lams + 2
    assert trapezoid(lams) @ line == pytest.approx(1.5 * (25 - 4) + 2 * 7)
    assert trapezoid(lams, low=0.5) @ line == pytest.approx(1.5 * (25 - 0.25) + 2 * 4.5)
    np.testing.assert_allclose(trapezoid(lams, high=0.5) + trapezoid(lams, low=0.5), trapezoid(lams))
    assert (trapezoid(lams, low=7.0) == 0).all()


def test_complexity_is_least_for_a_constant_image():
    rng = np.random.default_rng(0)
    constant, ramp = np.full((3, 32, 32), 0.2), np.broadcast_to(np.linspace(-1, 1, 32), (3, 32, 32))
    noise = rng.uniform(-1, 1, (3, 32, 32))
    bits = [png_bits(np.float32(image)) for image in (constant, ramp, noise)]
    assert bits[0] < bits[1] < bits[2] and bits[2] > 0.95 * 8 * 3072 and all(b % 8 == 0 for b in bits)
    assert png_bits(np.float32(constant[:1])) < bits[0]
    with pytest.raises(CFSError, match="1 or 3 channels"):
        png_bits(np.zeros((2, 8, 8), np.float32))


def test_input_complexity_is_bits_less_bits(tiny, tiny_images):
    detector, plain = detectors.create("input_complexity", draws=2), detectors.create("nll", draws=2)
    z = detector.read(tiny, tiny_images)
    nats = plain.fit(plain.read(tiny, tiny_images)).score(plain.read(tiny, tiny_images))
    wanted = nats / math.log(2) - np.array([png_bits(image) for image in tiny_images])
    np.testing.assert_allclose(detector.fit(z).score(z), wanted, rtol=1e-9)
    assert detector.cost(tiny) == plain.cost(tiny)


def test_input_complexity_refuses_latents():
    backbone = random_gaussian((4, 2, 2))
    backbone.image_shape = (3, 16, 16)
    with pytest.raises(CFSError, match="pixel space"):
        detectors.create("input_complexity").readings(backbone)
    with pytest.raises(CFSError, match="1 or 3 channels"):
        detectors.create("input_complexity").readings(random_gaussian((4, 2, 2)))


def test_dose_of_independent_gaussian_statistics_is_their_squared_length(backbone):
    rng = np.random.default_rng(0)
    detector = detectors.create("dose", lams=(1.0, 0.0))
    detector.columns_ = detector.columns(backbone)
    mean = np.linspace(10, 20, 6)
    train, test = (mean + rng.standard_normal((1, n, 6)) for n in (20000, 200))

    def terms(statistics):  # the terms are squared norms; densities are of the noise error and of two norms
        found = statistics.copy()
        found[..., [1, 2, 4, 5]] **= 2
        return found

    np.testing.assert_allclose(detector.statistics(terms(train)), train)
    scores = detector.fit(terms(train)).score(terms(test))
    length = ((test[0] - mean) ** 2).sum(axis=1) / 2 + 3 * math.log(2 * math.pi)
    near = length < np.quantile(length, 0.9)  # kernels make the tails heavier
    np.testing.assert_allclose(scores[near], length[near], atol=0.6)
    assert np.corrcoef(scores[near], length[near])[0, 1] > 0.99


def test_draws_are_rows_for_dose_and_means_for_likelihoods(tiny, tiny_images):
    for name, together in (("dose", False), ("typicality", True)):
        detector = detectors.create(name, draws=2)
        z = detector.read(tiny, tiny_images)
        scores = detector.fit(z).score(z)
        each = np.mean([detector.score(draw[None]) for draw in z], axis=0)
        assert np.allclose(scores, each, rtol=1e-9) == (not together)
        if together:
            np.testing.assert_allclose(scores, detector.score(z.mean(axis=0, keepdims=True)), rtol=1e-4)


def test_one_reading_serves_all(tiny):
    """What a run reads once: the same name, levels and columns."""
    seen = set()
    for name in SHARING:
        options = {"background": tiny.untrained(1)} if name == "likelihood_ratio" else {}
        reading = detectors.create(name, **options).readings(tiny)[0]
        seen.add((reading.name, reading.levels, tuple(reading.columns)))
    assert len(seen) == 1
    levels = next(iter(seen))[1]
    assert len(levels) == 20 and len({level.native for level in levels}) == 20
    assert levels[0].lam == pytest.approx(tiny.reach[1]) and levels[-1].lam == pytest.approx(-10, abs=0.05)


def test_levels_out_of_reach_are_told(tiny):
    assert detectors.create("nll").notes(tiny) == tiny.out_of_reach([10.0]) != []
    two = detectors.create("nll", lams=(5.0, 5.001, -3.0))
    assert [level.lam for level in two.levels(tiny)] == [tiny.match(5.0).lam, tiny.match(-3.0).lam]


def test_bad_input_of_likelihoods(tiny, tiny_images, backbone):
    with pytest.raises(CFSError, match="second network"):
        detectors.create("likelihood_ratio").readings(tiny)
    with pytest.raises(CFSError, match="another network"):
        detectors.create("likelihood_ratio", background=tiny).readings(tiny)
    with pytest.raises(CFSError, match="same pixels"):
        detectors.create("likelihood_ratio", background=backbone).readings(tiny)
    with pytest.raises(CFSError, match="split must lie between"):
        detectors.create("band_ratio", split=12.0).readings(tiny)
    with pytest.raises(CFSError, match="2 or more levels"):
        detectors.create("nll", lams=(20.0, 30.0)).readings(tiny)
    for name in ("typicality", "band_ratio", "dose"):
        detector = detectors.create(name)
        with pytest.raises(CFSError, match="Call read"):
            detector.fit(np.zeros((1, 3, 60)))
        z = detector.read(tiny, tiny_images)
        with pytest.raises(CFSError, match="not fitted"):
            detector.score(z)
        with pytest.raises(CFSError, match="Readings must have shape"):
            detector.fit(z[..., 1:])
    for name in ("band_ratio", "dose"):
        detector = detectors.create(name)
        z = detector.read(tiny, tiny_images)
        with pytest.raises(CFSError, match="no spread"):
            detector.fit(np.repeat(z[:, :1], 5, axis=1))


class Latent(LinearGaussian):
    """Latents (1, 2, 2) of images (1, 4, 4)."""

    def __init__(self, gain):
        super().__init__(np.zeros((1, 2, 2)), np.full(4, 0.2))
        self.image_shape, self.gain, self.fingerprint = (1, 4, 4), gain, f"gain {gain}"

    def encode(self, images):
        return self.gain * images[..., ::2, ::2]


def test_backbones_in_latent_space_must_share_the_autoencoder():
    one, same, other = Latent(1.0), Latent(1.0), Latent(0.5)
    same.fingerprint = "other weights"
    detector = detectors.create("likelihood_ratio", background=same, lams=(5.0, 0.0, -5.0))
    assert detector.read(one, np.zeros((2, 1, 4, 4), np.float32)).shape == (1, 2, 18)
    with pytest.raises(CFSError, match="same latents"):
        detectors.create("likelihood_ratio", background=other).readings(one)
