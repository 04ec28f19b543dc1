"""Published detectors on linear-Gaussian data, where their statistics are known (docs/detectors.md)."""

import numpy as np
import pytest
from linear_gaussian import LinearGaussian, random_gaussian

from cfs_explore import detectors
from cfs_explore.corruption import keyed_noise
from cfs_explore.detectors.diffpath import COSINE_LAMS
from cfs_explore.errors import CFSError
from cfs_explore.readings.equivariance import Equivariance
from cfs_explore.readings.inversion import CleanInversion, NoisedInversion
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.reconstruction import Reconstruction

N = 12


@pytest.fixture(scope="module")
def gaussian():
    return random_gaussian()


@pytest.fixture(scope="module")
def block(gaussian):
    """Images and three draws of noise."""
    images = gaussian.images(N, seed=1)
    return images, keyed_noise([str(i) for i in range(N)], 3, gaussian.input_shape)


def flat(values: np.ndarray) -> np.ndarray:
    return values.reshape(*values.shape[:-3], -1).astype(np.float64)


def sigma(level) -> float:
    return level.b / level.a


def read(backbone, reading, images, noise) -> np.ndarray:
    """(level, draw, image, feature)."""
    return Reader(backbone, reading)(images, noise, [str(i) for i in range(len(images))])


def test_msma_is_the_norm_of_the_score_at_the_clean_image(gaussian, block):
    detector = detectors.create("msma")
    found = detector.read(gaussian, block[0], noise=block[1])
    u = flat(block[0]) - gaussian.mean
    assert detector.lams[0] == pytest.approx(7.824, abs=1e-3) and detector.lams[-1] == pytest.approx(-1.386, abs=1e-3)
    for k, lam in enumerate(detector.lams):
        s2 = sigma(gaussian.match(lam)) ** 2
        score = np.linalg.inv(gaussian.covariance + s2 * np.eye(u.shape[1])) @ u.T
        np.testing.assert_allclose(found[1, :, k], np.sqrt(s2) * np.linalg.norm(score, axis=0), rtol=1e-4)
    np.testing.assert_array_equal(found[0], found[2])  # no noise enters


def test_msma_of_the_noised_image(gaussian, block):
    found = detectors.create("msma_mbe").read(gaussian, block[0], noise=block[1])
    for k, lam in enumerate(detectors.create("msma_mbe").lams):
        level = gaussian.match(lam)
        x = level.a * (flat(block[0]) - gaussian.mean) + level.b * flat(block[1])  # less a m
        norm = np.linalg.norm(level.b * x @ gaussian.precision_at(level), axis=-1)
        np.testing.assert_allclose(found[..., k], norm, rtol=1e-4)


def test_levels_of_the_originals():
    assert [round(lam, 2) for lam in COSINE_LAMS] == [11.53, 3.55, 2.18, 1.3, 0.61, -0.03, -0.66, -1.37, -2.27, -3.71]
    ddpm = detectors.create("ddpm_ood")
    starts = [ddpm.grid[k] for k in ddpm.starts]
    assert [round(lam, 2) for lam in starts] == [2.68, -0.64, -2.0, -3.34, -4.94, -7.01, -9.68]
    assert [round(lam, 2) for lam in detectors.create("gepc").lams] == [9.66, 8.55, 5.48, 5.08]


def test_six_sums_along_the_inversion(gaussian, block):
    """In y = x / a: u = y - m goes to u (1 + (sigma' - sigma) sigma / (s + sigma^2)) along each eigenvector."""
    path = [gaussian.match(lam) for lam in COSINE_LAMS]
    found = read(gaussian, CleanInversion(path, clip=False), block[0], block[1][:1])[0, 0]
    s = gaussian.values
    u = (flat(block[0]) / path[0].a - gaussian.mean) @ gaussian.basis
    steps = []
    for level, after in zip(path, [*path[1:], None], strict=True):
        steps.append((sigma(level) * u / (s + sigma(level) ** 2)) @ gaussian.basis.T)
        if after is not None:
            u = u * (1 + (sigma(after) - sigma(level)) * sigma(level) / (s + sigma(level) ** 2))
    eps = np.array(steps)  # (step, image, pixel)
    d = len(path) * np.diff(eps, axis=0)
    expected = np.stack([(part**power).sum(axis=(0, 2)) for part in (eps, d) for power in (1, 2, 3)], axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max(axis=0).min())


def test_the_inversion_clips_and_reads_the_noise_that_follows(gaussian, block):
    """Images twice as far out than the bounds allow: the first step's eps is that of the clipped estimate."""
    level = gaussian.match(3.0)
    wide = LinearGaussian(gaussian.mean.reshape(gaussian.image_shape), gaussian.values * 100, gaussian.basis)
    x0 = np.clip(block[0] * 5, -1, 1)
    found = read(wide, CleanInversion([level]), x0, block[1][:1])[0, 0]
    x = flat(x0)
    centred = x - level.a * wide.mean
    x0h = wide.mean + level.a * centred @ wide.precision_at(level) @ wide.covariance
    assert (np.abs(x0h) > 1).any()
    eps = (x - level.a * x0h.clip(-1, 1)) / level.b
    expected = np.stack([(eps**power).sum(axis=1) for power in (1, 2, 3)], axis=1)
    np.testing.assert_allclose(found[:, :3], expected, rtol=1e-4, atol=1e-4)
    assert (found[:, 3:] == 0).all()  # of one step


def test_a_negated_image_keeps_1d_and_flips_odd_powers(gaussian, block):
    centred = LinearGaussian(np.zeros(gaussian.image_shape), gaussian.values * 10, gaussian.basis)
    detector = detectors.create("diffpath_6d")
    z, negated = (detector.read(centred, sign * block[0])[0] for sign in (1, -1))
    np.testing.assert_allclose(negated, z * [-1, 1, -1, -1, 1, -1], rtol=1e-4, atol=1e-4)
    (one, six) = (detectors.create(f"diffpath_{d}d").readings(centred)[0] for d in (1, 6))
    assert (one.name, one.columns, one.levels) == (six.name, six.columns, six.levels)  # a run shares it
    np.testing.assert_allclose(detectors.create("diffpath_1d").statistics(z)[:, 0], np.sqrt(z[:, 4]))


def test_the_noised_inversion_tends_to_the_exact_flow(gaussian, block):
    """u at sigma is u_0 sqrt((s + sigma^2) / (s + sigma_0^2)) when steps are fine."""
    path = [gaussian.match(lam) for lam in np.linspace(5, -6, 1500)]
    found = read(gaussian, NoisedInversion(path), *block)[0]
    s, first = gaussian.values, path[0]
    u0 = (flat(block[0]) - gaussian.mean + sigma(first) * flat(block[1])) @ gaussian.basis
    q = []
    for level in path:
        s2 = sigma(level) ** 2
        u = u0 * np.sqrt((s + s2) / (s + sigma(first) ** 2))
        q.append(np.mean((np.sqrt(s2) * u / (s + s2)) ** 2, axis=-1))
    q = np.moveaxis(np.array(q), 0, -1)
    np.testing.assert_allclose(found[..., :1500], q, rtol=0.02)
    slopes = np.diff(found[..., :1500]) / np.diff([level.lam for level in path])
    np.testing.assert_allclose(found[..., 1500:], slopes, rtol=1e-6)


def test_a_fine_reconstruction_shrinks_the_noised_image(gaussian, block):
    """It ends at g (u + sigma e), g = sqrt(s / (s + sigma^2)): the expected error is (g - 1)^2 u^2 + g^2 sigma^2."""
    path = [gaussian.match(lam) for lam in np.linspace(1.0, 12.0, 1200)]
    found = read(gaussian, Reconstruction(path), *block)[0, ..., 0]
    u, e = (flat(block[0]) - gaussian.mean) @ gaussian.basis, flat(block[1]) @ gaussian.basis
    g = np.sqrt(gaussian.values / (gaussian.values + sigma(path[0]) ** 2))
    np.testing.assert_allclose(found, np.mean((g * (u + sigma(path[0]) * e) - u) ** 2, axis=-1), rtol=0.02)


@pytest.mark.parametrize("fresh", [True, False])
def test_expected_error_over_draws(gaussian, fresh):
    images, path = gaussian.images(2, seed=3), [gaussian.match(lam) for lam in np.linspace(0.0, 12.0, 300)]
    noise = keyed_noise(["a", "b"], 600, gaussian.input_shape)
    found = Reader(gaussian, Reconstruction(path, fresh=fresh))(images, noise, ["a", "b"])[0, ..., 0]
    u, s2 = (flat(images) - gaussian.mean) @ gaussian.basis, sigma(path[0]) ** 2
    g = np.sqrt(gaussian.values / (gaussian.values + s2))
    expected = np.mean((g - 1) ** 2 * u**2 + g**2 * s2, axis=1)
    spread = found.std(axis=0) / np.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - expected) < 4 * spread + 0.03 * expected).all()


def test_one_step_reconstruction(gaussian, block):
    found = detectors.create("one_step_mbe").read(gaussian, block[0], noise=block[1])[..., 0]
    level = gaussian.match(5.0)
    x = level.a * (flat(block[0]) - gaussian.mean) + level.b * flat(block[1])
    x0h = gaussian.mean + level.a * x @ gaussian.precision_at(level) @ gaussian.covariance
    np.testing.assert_allclose(found, np.mean((x0h - flat(block[0])) ** 2, axis=-1), rtol=1e-4)


def turned(name: str, values: np.ndarray) -> np.ndarray:
    """g x of images (..., H, W), written without the program's table."""
    return {
        "id": lambda v: v,
        "hflip": lambda v: v[..., ::-1],
        "vflip": lambda v: v[..., ::-1, :],
        "rot90": lambda v: np.swapaxes(v, -1, -2)[..., ::-1, :],
        "rot180": lambda v: v[..., ::-1, ::-1],
        "roll-x": lambda v: np.concatenate([v[..., -1:], v[..., :-1]], axis=-1),
        "roll-y": lambda v: np.concatenate([v[..., -1:, :], v[..., :-1, :]], axis=-2),
    }[name](values)


def permutation(name: str, shape: tuple) -> np.ndarray:
    """G with flat(g x) = G flat(x)."""
    return turned(name, np.eye(int(np.prod(shape))).reshape(-1, *shape)).reshape(-1, int(np.prod(shape))).T


def test_latents_are_not_clipped(gaussian):
    latent = random_gaussian()
    latent.image_shape = (1, 8, 8)
    for name in ("diffpath_1d", "diffpath_6d", "ddpm_ood"):
        for backbone, clip in ((gaussian, True), (latent, False)):
            readings = detectors.create(name).readings(backbone)
            assert {(reading.clip, "clipped" in reading.name) for reading in readings} == {(clip, clip)}


def test_a_path_that_a_backbone_cannot_follow_stands_still():
    short = random_gaussian(reach=(-4.0, 4.0))
    images = short.images(N, seed=1)
    for name, slopes in (("diffpath_1d_mbe", slice(8, 15)), ("diffpath_6d_mbe", slice(8, 15))):
        detector = detectors.create(name)
        z = detector.read(short, images)
        assert (z[..., slopes][..., -2:] == 0).all() and (z[..., slopes][..., :-2] != 0).all()
        assert len(detector.notes(short)) == 4
        assert np.isfinite(detector.fit(z).score(z)).all()


def test_quarter_turns_need_squares():
    wide = random_gaussian((1, 4, 6))
    with pytest.raises(CFSError, match="rot90 needs square images"):
        detectors.create("gepc").read(wide, wide.images(3))
    assert np.isfinite(detectors.create("gepc_mbe").read(wide, wide.images(3))).all()


@pytest.mark.parametrize("name", ["hflip", "vflip", "rot90", "rot180", "roll-x", "roll-y"])
def test_equivariance_of_each_turn(gaussian, block, name):
    """r_g = ||(g^-1 C g)^-1 (x - a g^-1 m) - C^-1 (x - a m)||^2 / ||C^-1 (x - a m)||^2 when all pixels are averaged."""
    level = gaussian.match(2.0)
    found = read(gaussian, Equivariance([level], [name], share=1.0), *block)[0, ..., 0]
    g = permutation(name, gaussian.image_shape)
    x = level.a * flat(block[0]) + level.b * flat(block[1])
    precision = gaussian.precision_at(level)
    base = (x - level.a * gaussian.mean) @ precision
    other = (x - level.a * g.T @ gaussian.mean) @ (g.T @ precision @ g)
    expected = np.sum((other - base) ** 2, axis=-1) / np.sum(base**2, axis=-1)
    assert expected.min() > 0.01
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_gepc_averages_the_largest_pixels_over_the_group(gaussian, block):
    detector = detectors.create("gepc", lams=(2.0, 1.0))
    found = detector.read(gaussian, block[0], noise=block[1])
    for k, lam in enumerate(detector.lams):
        level, parts = gaussian.match(lam), []
        x = level.a * flat(block[0]) + level.b * flat(block[1])
        eps = level.b * (x - level.a * gaussian.mean) @ gaussian.precision_at(level)
        for name in detector.group:
            g = permutation(name, gaussian.image_shape)
            back = level.b * (x @ g.T - level.a * gaussian.mean) @ gaussian.precision_at(level) @ g
            top = [np.sort(v, axis=-1)[..., -4:].mean(axis=-1) for v in ((back - eps) ** 2, eps**2)]  # 30 % of 16
            parts.append(top[0] / (top[1] + 1e-8))
        np.testing.assert_allclose(found[..., k], np.mean(parts, axis=0), rtol=1e-4)


def test_an_equivariant_network_has_no_gepc():
    even = LinearGaussian(np.full((1, 4, 4), 0.1), np.full(16, 0.02))
    images = even.images(6, seed=2)
    for name in ("gepc", "gepc_mbe"):
        assert np.abs(detectors.create(name).read(even, images)).max() < 1e-5
    with pytest.raises(CFSError, match="no spread"):  # nothing tells these images apart
        detectors.create("gepc").fit(np.zeros((1, 6, 4)))
