"""Layer consistency: perfect where the reconstruction is, blind at a constant tap, and as defined on a network."""

import dataclasses

import numpy as np
import pytest
import torch
from linear_gaussian import LinearGaussian, random_gaussian

from cfs_explore import detectors
from cfs_explore.contracts import Cost, Tap
from cfs_explore.corruption import keyed_noise
from cfs_explore.errors import CFSError
from cfs_explore.taps.capture import capture


class Tapped(LinearGaussian):
    """The Gaussian denoiser with a tap on its input and one that never changes."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.module.seen, self.module.constant = torch.nn.Identity(), torch.nn.Identity()

    def forward(self, x, level):
        self.module.seen(x)
        self.module.constant(torch.ones(len(x), 2, 4, 4))
        return super().forward(x, level)

    predict_eps = forward

    def taps(self):
        return tuple(Tap(name, "encoder", 0.5, 4, channels) for name, channels in (("seen", 1), ("constant", 2)))

    def activation(self, tap, output):
        return output


@pytest.fixture
def gaussian():
    return Tapped(np.full((1, 4, 4), 0.3), np.geomspace(0.01, 0.2, 16))


def test_without_noise_the_layers_see_the_same(gaussian):
    detector = detectors.create("layer_consistency", lam=14.0)
    z = detector.read(gaussian, np.clip(gaussian.images(12), -1, 1))
    np.testing.assert_allclose(detector.fit(z).score(z), -1, atol=1e-5)


def test_a_constant_tap_is_blind(gaussian):
    detector = detectors.create("layer_consistency", lam=-2.0)
    z = detector.read(gaussian, np.clip(gaussian.images(12), -1, 1))
    names = list(detector.columns_)
    constant, seen = (z[0, :, names.index(f"cosine of {tap} @ -2")] for tap in ("constant", "seen"))
    np.testing.assert_allclose(constant, 1, rtol=1e-6)
    assert seen.min() < 0.999
    np.testing.assert_allclose(detector.fit(z).score(z), -(1 + seen) / 2, rtol=1e-6)
    other = detectors.create("layer_consistency", measure="difference")
    z = other.read(gaussian, gaussian.images(6) * 0.3)
    with pytest.raises(CFSError, match="no spread"):
        other.fit(z)


def test_snapshots_of_an_image_and_its_noised_reconstruction(tiny, tiny_images):
    detector, ids = detectors.create("layer_consistency"), [str(i) for i in range(24)]
    z = detector.read(tiny, tiny_images, ids, seed=2)[0]
    level, taps = tiny.match(3.0), [tap.name for tap in tiny.taps()]
    noise = torch.from_numpy(keyed_noise(ids, 1, tiny.input_shape, 2)[0])
    x = level.a * torch.from_numpy(tiny_images) + level.b * noise
    with torch.inference_mode():
        again = level.a * tiny.predict_x0(x, level) + level.b * noise
        seen = []
        for images in (x, again):
            with capture(tiny.module, taps, tiny.activation) as features:
                tiny.forward(images, level)
            seen.append(features)
    for k, tap in enumerate(taps):
        one, other = (features[tap].double() for features in seen)
        cosine = torch.nn.functional.cosine_similarity(one, other)
        np.testing.assert_allclose(z[:, k], cosine, rtol=1e-4)
        np.testing.assert_allclose(z[:, len(taps) + k], (one - other).square().mean(dim=1), rtol=1e-3)
    np.testing.assert_allclose(detector.fit(z[None]).score(z[None]), -z[:, : len(taps)].mean(axis=1), rtol=1e-5)
    depth = max(tap.depth for tap in tiny.taps())
    assert dataclasses.astuple(detector.cost(tiny)) == pytest.approx(dataclasses.astuple(Cost(2, 0, 1 + depth)))


def test_differences_are_standardised_tap_by_tap(tiny, tiny_images):
    detector = detectors.create("layer_consistency", measure="difference", draws=2)
    train, z = detector.read(tiny, tiny_images[:16]), detector.read(tiny, tiny_images[16:])
    rows = train[..., train.shape[2] // 2 :].astype(float)
    standard = (z[..., z.shape[2] // 2 :] - rows.mean(axis=(0, 1))) / rows.std(axis=(0, 1))
    np.testing.assert_allclose(detector.fit(train).score(z), standard.mean(axis=(0, 2)), rtol=1e-5)


def test_bad_input_of_layer_consistency(tiny, tiny_images):
    with pytest.raises(CFSError, match="measure must be one of cosine, difference"):
        detectors.create("layer_consistency", measure="ssim")
    with pytest.raises(CFSError, match="no taps"):
        detectors.create("layer_consistency").readings(random_gaussian())
    detector = detectors.create("layer_consistency", measure="difference")
    with pytest.raises(CFSError, match="Call read"):
        detector.fit(np.zeros((1, 3, 4)))
    z = detector.read(tiny, tiny_images)
    with pytest.raises(CFSError, match="not fitted"):
        detector.score(z)
    with pytest.raises(CFSError, match="Readings must have shape"):
        detector.fit(z[..., 1:])
