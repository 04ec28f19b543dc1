"""LMD: its masks, what it paints from nothing, and that Gaussian data come out as Gaussian data."""

import numpy as np
import pytest
import torch
from linear_gaussian import random_gaussian

from cfs_explore import detectors
from cfs_explore.contracts import Cost
from cfs_explore.errors import CFSError
from cfs_explore.readings.inpainting import Inpainting, board
from cfs_explore.readings.loop import Reader


class Painted(Inpainting):
    """Gives the painted pixels themselves."""

    def __init__(self, levels, **options):
        super().__init__(levels, 1, **options)
        self.columns = {"pixels": slice(0, 16)}

    def read(self, backbone, batch):
        return self.paint(backbone, batch, 0).flatten(1)


def path(backbone, steps):
    return [backbone.match(lam) for lam in np.linspace(-10, 14, steps)]


def noise_of(n, seed=0):
    return np.random.default_rng(seed).standard_normal((1, n, 1, 4, 4)).astype(np.float32)


@pytest.mark.parametrize("side", [8, 12, 16, 28, 32])
def test_masks_cover_each_pixel_once(side):
    first = board(side, side)
    rows = first[:, 0].int().diff().abs().sum() + 1
    assert rows == 8 and first.float().mean() == pytest.approx(0.5, abs=0.06)
    assert not (first & ~first).any() and (first | ~first).all()
    if side == 32:
        assert first[:4, :4].all() and not first[:4, 4:8].any() and first[4:8, 4:8].all()


def test_repetitions_hide_what_the_others_keep():
    backbone = random_gaussian()
    reading, x0 = Inpainting(path(backbone, 5), 3), torch.zeros(1, 1, 4, 4)
    masks = [reading._kept(x0, r) for r in range(3)]
    assert (masks[0] ^ masks[1]).all() and (masks[0] == masks[2]).all()


def test_nothing_hidden_is_no_distance():
    backbone = random_gaussian()
    x0 = backbone.images(3)
    found = Reader(backbone, Inpainting(path(backbone, 6), mask="all"))(x0, noise_of(3), list("abc"))
    assert (found == 0).all()


def test_all_hidden_is_a_sample_whatever_the_image():
    """In closed form each step is linear, so that mean and covariance of what comes out follow step by step."""
    backbone = random_gaussian(spread=(0.01, 0.3), seed=2)
    n, ids = 6000, [str(i) for i in range(6000)]
    levels = path(backbone, 50)
    painted = Reader(backbone, Painted(levels, mask="none"))(np.zeros((n, 1, 4, 4), np.float32), noise_of(n), ids)[0, 0]
    other = Reader(backbone, Painted(levels, mask="none"))(backbone.images(n), noise_of(n), ids)[0, 0]
    np.testing.assert_array_equal(painted, other)
    along = (painted - backbone.mean) @ backbone.basis
    np.testing.assert_allclose(along.mean(axis=0), 0, atol=5 * np.sqrt(backbone.values.max() / n))
    variance = np.ones(16)
    for level, after in zip(levels, [*levels[1:], None], strict=True):
        gain = level.a * backbone.values / (level.a**2 * backbone.values + level.b**2)  # of x0h
        if after is None:
            variance *= gain**2
            break
        alpha = level.a / after.a
        tau = level.b**2 - (alpha * after.b) ** 2
        slope = alpha * after.b**2 / level.b**2 + after.a * tau / level.b**2 * gain
        variance = slope**2 * variance + tau * after.b / alpha / level.b
    np.testing.assert_allclose(along.var(axis=0), variance, rtol=0.1)
    np.testing.assert_allclose(variance, backbone.values, rtol=0.02)  # 50 steps are N(m, S) already
    covariance = np.cov(painted.T)
    assert np.linalg.norm(covariance - backbone.covariance) < 0.06 * np.linalg.norm(backbone.covariance)


def test_distances_are_of_hidden_pixels_and_ignore_the_backbones_scale():
    """A backbone whose state is not variance preserving, x = x0 + sigma e, paints the same."""
    backbone = random_gaussian(seed=3)
    x0, ids = backbone.images(4), list("abcd")

    class Exploding:
        """The same denoiser on x0 + sigma e."""

        module, device, image_shape, input_shape = (
            backbone.module,
            backbone.device,
            backbone.image_shape,
            backbone.input_shape,
        )
        name = "exploding"

        def match(self, lam):
            level = backbone.match(lam)
            return type(level)(lam, level.lam, 1.0, level.b / level.a, level.native)

        def encode(self, images):
            return images

        def predict_eps(self, x, level):
            level = backbone.match(level.lam)
            return backbone.predict_eps(level.a * x, level)

    other = Exploding()
    found = Reader(backbone, Inpainting(path(backbone, 20)))(x0, noise_of(4), ids)
    again = Reader(other, Inpainting(path(other, 20)))(x0, noise_of(4), ids)
    np.testing.assert_allclose(again, found, rtol=1e-3)
    painted = Reader(backbone, Painted(path(backbone, 20)))(x0, noise_of(4), ids)[0, 0].reshape(x0.shape)
    keep = board(4, 4).numpy()
    np.testing.assert_array_equal(painted[..., keep], x0[..., keep])
    np.testing.assert_allclose(found[0, 0, :, 0], ((painted - x0) ** 2).mean(axis=(1, 2, 3)), rtol=1e-5)


def test_the_score_is_the_median_over_repetitions(tiny, tiny_images):
    detector = detectors.create("lmd_mse", steps=4, repetitions=3, draws=2)
    z = detector.read(tiny, tiny_images)
    assert z.shape == (2, 24, 3)
    np.testing.assert_allclose(detector.fit(z).score(z), np.median(z.astype(float), axis=2).mean(axis=0))
    full = detectors.create("lmd_mse")
    lams = [level.lam for level in full.path(tiny)]
    assert len(set(lams)) == 50 and lams == sorted(lams)
    assert full.cost(tiny) == Cost(100, 0, 100.0)
    assert full.path(tiny)[0].lam == pytest.approx(-10, abs=0.05) and full.path(tiny)[-1].lam == tiny.reach[1]
    assert "from lam -10.0" in full.notes(tiny)[0]


def test_bad_input_of_lmd():
    backbone = random_gaussian()
    for options in ({"steps": 1}, {"repetitions": 0}):
        with pytest.raises(CFSError, match="must be at least"):
            detectors.create("lmd_mse", **options)
    with pytest.raises(CFSError, match="rise"):
        Inpainting(path(backbone, 3)[::-1])
    with pytest.raises(CFSError, match="mask must be"):
        Inpainting(path(backbone, 3), mask="half")
    with pytest.raises(CFSError, match="ids"):
        Reader(backbone, Inpainting(path(backbone, 3)))(backbone.images(2), noise_of(2))
    with pytest.raises(CFSError, match=r"\(draw, image, 2\)"):
        detectors.create("lmd_mse").score(np.zeros((1, 3, 4)))
