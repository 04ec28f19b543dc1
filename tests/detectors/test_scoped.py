"""SCOPED against the closed forms of Gaussian data: mean, variance, expectation over noise, variance of a probe."""

import numpy as np
import pytest
import torch
from exact_draws import exact_draws
from linear_gaussian import LinearGaussian, random_gaussian

from cfs_explore import detectors
from cfs_explore.contracts import Cost
from cfs_explore.detectors.densities import silverman
from cfs_explore.errors import CFSError
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.score_trace import ScoreTrace, without_derivative

LAMS = (10.8, 4.1, -2.0)


def white(n, shape, seed):
    return np.random.default_rng(seed).standard_normal((1, n, *shape)).astype(np.float32)


def ids_of(images):
    return [str(i) for i in range(len(images))]


@pytest.mark.parametrize("mode", ["reverse", "forward", "difference"])
def test_the_ratio_has_mean_1_and_the_variance_of_a_gaussian(mode):
    """Independent pixels: the Jacobian is diagonal, so that one probe gives its trace exactly."""
    backbone = LinearGaussian(np.full((1, 4, 4), 0.1), np.geomspace(0.002, 0.5, 16))
    x0 = backbone.images(6000, seed=1)
    levels = [backbone.match(lam) for lam in LAMS]
    reading = ScoreTrace(levels, mode=mode)
    found = Reader(backbone, reading)(x0, white(6000, (1, 4, 4), 2), ids_of(x0))[:, 0]
    for level, (square, trace, _) in zip(levels, np.moveaxis(found, 2, 1), strict=True):
        precision = backbone.precision_at(level)
        exact = level.b**2 * np.trace(precision)
        np.testing.assert_allclose(trace, exact, rtol=1e-3 if mode == "difference" else 1e-5)
        ratio = square / trace
        variance = 2 * np.trace(precision @ precision) / np.trace(precision) ** 2
        assert ratio.mean() == pytest.approx(1, abs=4 * np.sqrt(variance / 6000))
        assert ratio.var() == pytest.approx(variance, rel=0.2)


def test_the_expected_square_of_a_given_image():
    """E||s||^2 = a^2 ||C^-1 u||^2 + b^2 tr C^-2, with the sum of the score beside it: exact over balanced draws."""
    backbone = random_gaussian()
    x0 = backbone.images(3, seed=3) + np.float32(0.3)
    levels = [backbone.match(lam) for lam in LAMS]
    found = Reader(backbone, ScoreTrace(levels))(x0, exact_draws((1, 4, 4), 3), ids_of(x0)).mean(axis=1)
    for level, rows in zip(levels, found, strict=True):
        precision = backbone.precision_at(level)
        u = x0.reshape(3, -1) - backbone.mean
        square = level.a**2 * ((u @ precision) ** 2).sum(axis=1) + level.b**2 * np.trace(precision @ precision)
        np.testing.assert_allclose(rows[:, 0], level.b**2 * square, rtol=1e-4)
        np.testing.assert_allclose(rows[:, 2], level.b * level.a * (u @ precision).sum(axis=1), rtol=1e-3)


def test_probes_are_rademacher():
    """Var v'Jv = 2 (||J||_F^2 - sum J_ii^2) about the trace; more probes divide it."""
    backbone = random_gaussian(seed=5)
    level = backbone.match(3.0)
    x0, jacobian = np.zeros((8000, 1, 4, 4), np.float32), level.b**2 * backbone.precision_at(level)
    noise = np.zeros((1, *x0.shape), np.float32)
    variance = 2 * ((jacobian**2).sum() - (np.diag(jacobian) ** 2).sum())
    for probes in (1, 4):
        trace = Reader(backbone, ScoreTrace([level], probes))(x0, noise, ids_of(x0))[0, 0, :, 1]
        assert trace.mean() == pytest.approx(np.trace(jacobian), abs=4 * np.sqrt(variance / probes / 8000))
        assert trace.var() == pytest.approx(variance / probes, rel=0.1)


def test_scores_are_those_of_ratio_and_densities():
    backbone = random_gaussian(seed=2)
    detector = detectors.create("scoped", lams=(6.0, 1.0), probes=3, draws=2)
    train, z = (detector.read(backbone, backbone.images(n, seed=n), seed=4) for n in (60, 9))
    detector.fit(train)
    parts = train.astype(np.float64).mean(axis=0).reshape(60, 2, 3)  # averaged before the ratio
    ratio = parts[..., 0] / np.maximum(parts[..., 1], 1e-3 * np.median(parts[..., 1], axis=0))
    np.testing.assert_allclose(detector.statistics(train), ratio, rtol=1e-12)
    scores = []
    for column, values in zip(ratio.T, detector.statistics(z).T, strict=True):
        h = silverman(column)
        kernels = np.exp(-0.5 * ((values[:, None] - column) / h) ** 2) / np.sqrt(2 * np.pi) / h
        scores.append(-np.log(kernels.mean(axis=1)))
    np.testing.assert_allclose(detector.score(z), np.max(scores, axis=0), rtol=1e-6)


def test_a_single_level_and_the_sign():
    backbone = random_gaussian(seed=2)
    detector = detectors.create("scoped_single", sign="sum")
    z = detector.fit(detector.read(backbone, backbone.images(40))).read(backbone, backbone.images(20, seed=9))
    found, total = detector.statistics(z), detector.components(z)[..., 2]
    assert (np.sign(found) == np.sign(total)).all() and (found < 0).any() and (found > 0).any()
    plain = detectors.create("scoped_single").fit(detector.read(backbone, backbone.images(40)))
    np.testing.assert_allclose(plain.statistics(z), np.abs(found))
    assert detector.cost(backbone) == Cost(1, 1, 1.0)


def test_traces_that_are_not_positive_are_floored_and_counted():
    detector = detectors.create("scoped_single")
    z = np.stack([np.linspace(1, 2, 20), np.linspace(0.5, 3, 20), np.ones(20)], axis=1)[None]
    z[0, 3, 1] = -0.4
    detector.fit(z)
    assert detector.floored_ == [1 / 20] and detector.floor_ == pytest.approx(1e-3 * np.median(z[0, :, 1]))
    assert detector.statistics(z)[3, 0] == pytest.approx(z[0, 3, 0] / detector.floor_[0])
    assert np.isfinite(detector.score(z)).all()
    assert "5.0% at 4.1" in detector.notes(random_gaussian())[-1]
    with pytest.raises(CFSError, match="no gradient"):
        detectors.create("scoped_single").fit(z * [1, 0, 1])


class _Unknown(torch.autograd.Function):
    """A layer without derivatives."""

    @staticmethod
    def forward(ctx, x):
        return x * 1


class _Backward(_Unknown):
    """A layer without a forward-mode derivative."""

    @staticmethod
    def backward(ctx, grad):
        return grad


class WithoutForwardMode(LinearGaussian):
    layer = _Backward

    def predict_eps(self, x, level):
        return super().forward(self.layer.apply(x), level)


class WithoutDerivatives(WithoutForwardMode):
    layer = _Unknown


class WithoutGradient(LinearGaussian):
    """Its answer does not depend on the image."""

    def predict_eps(self, x, level):
        return super().forward(torch.zeros_like(x), level)


def of_kind(kind):
    return kind(np.zeros((1, 4, 4)), np.geomspace(0.002, 0.5, 16))


def test_networks_without_derivatives_are_read_by_differences(tiny):
    exact, half, none, blind = map(of_kind, (LinearGaussian, WithoutForwardMode, WithoutDerivatives, WithoutGradient))
    assert all(without_derivative(b, mode) == "" for b in (exact, tiny) for mode in ("reverse", "forward"))
    detector = detectors.create("scoped")
    assert detector.cost(exact) == detector.cost(half) == Cost(2, 2, 2.0) and detector.cost(none) == Cost(4, 0, 4.0)
    assert "Central differences" in detector.notes(none)[-1] and detector.notes(exact) == detector.notes(half) == []
    images = np.clip(exact.images(12), -1, 1)
    z = detector.read(exact, images)
    np.testing.assert_allclose(detector.read(half, images), z, rtol=1e-6)
    np.testing.assert_allclose(detector.read(none, images), z, rtol=2e-3, atol=1e-3)
    with pytest.raises(CFSError, match="no derivative in forward mode"):
        detectors.create("scoped", jvp="forward").read(half, images)
    with pytest.raises(CFSError, match="no derivative in reverse mode"):
        detectors.create("scoped", jvp="reverse").read(none, images)
    with pytest.raises(CFSError, match="no gradient"):
        detector.fit(detector.read(blind, images))


def test_modes_agree_on_a_network(tiny, tiny_images, monkeypatch):
    reverse, forward, difference = (
        detectors.create("scoped", jvp=jvp).read(tiny, tiny_images)[0].reshape(24, 2, 3)
        for jvp in ("auto", "forward", "difference")
    )
    np.testing.assert_allclose(reverse, forward, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(difference[..., 0], forward[..., 0], rtol=1e-3)
    np.testing.assert_allclose(difference[..., 1], forward[..., 1], rtol=2e-2, atol=0.02)
    assert detectors.create("scoped").notes(tiny) == tiny.out_of_reach([10.8])
    monkeypatch.setattr("cfs_explore.readings.score_trace._KEPT", 7 * tiny.parameters)
    parts = detectors.create("scoped").read(tiny, tiny_images)[0].reshape(24, 2, 3)
    np.testing.assert_allclose(parts, reverse, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options", [{"sign": "mean"}, {"jvp": "backward"}, {"probes": 0}, {"lams": ()}, {"draws": 0}])
def test_options_that_scoped_refuses(options):
    with pytest.raises(CFSError, match="must be"):
        detectors.create("scoped", **options)
