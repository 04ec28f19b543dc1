"""Published detectors on a real tiny network: costs are counted, batches and draws do not matter, errors say why."""

import dataclasses

import numpy as np
import pytest
import torch

from cfs_explore import detectors
from cfs_explore.corruption import keyed_noise
from cfs_explore.detectors.densities import KernelDensity, MixtureDensity
from cfs_explore.errors import BackboneError, CFSError

#: Detector -> options that leave a quick test, forwards per image with the published options, draws are an option.
NAMES = {
    "msma": ({}, 10, False),
    "msma_mbe": ({}, 8, True),
    "diffpath_1d": ({}, 10, False),
    "diffpath_6d": ({}, 10, False),
    "diffpath_1d_mbe": ({}, 8, True),
    "diffpath_6d_mbe": ({}, 8, True),
    "ddpm_ood": ({"skip": 60}, 350, True),
    "ddpm_ood_mbe": ({"levels": 10, "skip": 4}, 364, True),
    "one_step_mbe": ({}, 1, True),
    "gepc": ({}, 32, True),
    "gepc_mbe": ({}, 8, True),
}


@pytest.fixture
def images_counted(tiny):
    """Images that went through the network's forwards."""
    done = []
    handle = tiny.module.register_forward_hook(lambda module, inputs, output: done.append(len(inputs[0])))
    yield done
    handle.remove()


@pytest.mark.parametrize("name", NAMES)
def test_declared_cost_is_what_the_network_is_called_for(tiny, tiny_images, images_counted, name):
    options, published, noisy = NAMES[name]
    assert dataclasses.astuple(detectors.create(name).cost(tiny)) == (published, 0, published)
    detector = detectors.create(name, **options, **({"draws": 2} if noisy else {}))
    detector.read(tiny, tiny_images[:5])
    cost = detector.cost(tiny)
    assert sum(images_counted) == 5 * cost.forwards and cost == detector.fit_cost(tiny)


def test_gepc_keeps_two_of_its_levels(tiny, tiny_images, images_counted):
    detector = detectors.create("gepc")
    z = detector.read(tiny, tiny_images)
    detector.fit(z)
    cv = z[0].std(axis=0, dtype=np.float64) / z[0].mean(axis=0, dtype=np.float64)
    assert sorted(detector.kept_) == sorted(np.argsort(cv)[:2])
    weights = 1 / cv[list(detector.kept_)]
    np.testing.assert_allclose(detector.weights_, weights / weights.sum(), rtol=1e-4)
    images_counted.clear()
    after = detector.read(tiny, tiny_images[:7])
    assert sum(images_counted) == 7 * 16 == 7 * detector.cost(tiny).forwards
    assert detector.fit_cost(tiny).forwards == 32
    np.testing.assert_allclose(after, z[:, :7, detector.kept_], rtol=1e-5)
    logs = [KernelDensity().fit(z[0, :, k]).log_density(z[0, :7, k]) for k in detector.kept_]
    expected = -detector.weights_ @ np.array(logs)
    np.testing.assert_allclose(detector.score(z[:, :7]), expected, rtol=1e-6)
    np.testing.assert_allclose(detector.score(after), expected, rtol=1e-3)
    with pytest.raises(CFSError, match="all 4 levels"):
        detector.fit(after)
    with pytest.raises(CFSError, match="must have shape"):
        detector.score(z[..., :1])


@pytest.mark.parametrize("name", NAMES)
def test_no_batch_order_or_further_draw_matters(tiny, tiny_images, name):
    options, _, noisy = NAMES[name]
    ids = [str(i) for i in range(9)]
    more = {"draws": 3} if noisy else {}
    whole = detectors.create(name, **options, **more).read(tiny, tiny_images[:9], ids)
    fewer = detectors.create(name, **options, **({"draws": 2} if noisy else {}))

    def near(found, expected):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(whole).max(axis=(0, 1)).max())

    for size in (1, 7, 64):
        near(fewer.read(tiny, tiny_images[:9], ids, batch_size=size), whole[: fewer.draws])
    near(fewer.read(tiny, tiny_images[8::-1], ids[::-1])[:, ::-1], whole[: fewer.draws])
    if noisy:
        assert (np.abs(whole[0] - whole[1]) > 0).any(axis=0).all()  # each draw has noise of its own


def test_each_start_of_the_original_has_noise_of_its_own(tiny, tiny_images):
    noise = keyed_noise([str(i) for i in range(4)], 1, tiny.input_shape)
    for name, same in (("ddpm_ood", True), ("ddpm_ood_mbe", False)):
        options = NAMES[name][0]
        z, other = (
            detectors.create(name, **options).read(tiny, tiny_images[:4], list("abcd"), noise=given)
            for given in (noise, -noise)
        )
        assert np.array_equal(z, other) == same
    read = detectors.create("ddpm_ood", skip=98).read
    assert not np.array_equal(read(tiny, tiny_images[:4], list("abcd")), read(tiny, tiny_images[:4], list("efgh")))


@pytest.mark.parametrize("name", NAMES)
def test_every_reading_is_named_by_what_it_does(tiny, name):
    detector = detectors.create(name)
    readings = detector.readings(tiny)
    assert len({reading.name for reading in readings}) == len(readings)
    assert detector.title and detector.meaning.endswith(".") and "arXiv" in detector.paper
    assert detector.variant.startswith("CFS paper's version" if name.endswith("_mbe") else "original")


def test_other_options_have_other_names(tiny):
    def names(name, **options):
        return [reading.name for reading in detectors.create(name, **options).readings(tiny)]

    assert names("gepc") != names("gepc", share=0.5)
    assert names("gepc") != names("gepc", group=("id", "hflip"))
    assert names("diffpath_1d_mbe") != names("diffpath_1d_mbe", lams=(5.0, 0.0, -10.0))
    assert names("ddpm_ood_mbe")[0] != names("ddpm_ood_mbe", high=4.9)[0]
    assert names("ddpm_ood_mbe")[-1] != names("ddpm_ood_mbe", high=4.9)[-1]


def test_levels_out_of_reach_are_told(tiny):
    (note,) = detectors.create("diffpath_6d").notes(tiny)
    assert "lam = 11.5264" in note and "9.21" in note
    assert detectors.create("msma_mbe").notes(tiny) == []
    low, detector = tiny.reach[0], detectors.create("ddpm_ood_mbe", low=-14.0)
    assert len(detector.notes(tiny)) == sum(lam < low - 0.5 for lam in detector.grid) > 0


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_network_is_an_error(tiny, tiny_images, name, monkeypatch):
    monkeypatch.setattr(type(tiny), "predict_eps", lambda self, x, level: torch.full_like(x, torch.nan))
    with pytest.raises(BackboneError, match="not finite"):
        detectors.create(name, **NAMES[name][0]).read(tiny, tiny_images[:3])


@pytest.mark.parametrize("name", NAMES)
def test_images_that_are_all_alike_cannot_be_fitted(tiny, name):
    small = {"components": (1, 2)} if name in ("msma", "diffpath_6d") else {}
    detector = detectors.create(name, **NAMES[name][0], **small)
    constant = np.zeros((12, *tiny.image_shape), np.float32)
    noise = np.repeat(keyed_noise(["a"], 1, tiny.input_shape), 12, axis=1)
    z = detector.read(tiny, constant, ["a"] * 12, noise=noise)
    with pytest.raises(CFSError, match="no spread"):
        detector.fit(np.repeat(z[:, :1], 12, axis=1))


@pytest.mark.parametrize("name", NAMES)
def test_one_constant_image_among_others_has_a_score(tiny, tiny_images, name):
    small = {"components": (1, 2)} if name in ("msma", "diffpath_6d") else {}
    detector = detectors.create(name, **NAMES[name][0], **small)
    detector.fit(detector.read(tiny, np.concatenate([tiny_images, np.ones_like(tiny_images[:1])])))
    assert np.isfinite(detector.score(detector.read(tiny, np.full_like(tiny_images[:2], -1.0)))).all()
    with pytest.raises(CFSError, match="not fitted"):
        detectors.create(name).score(np.zeros((1, 2, 4)))
    with pytest.raises(CFSError, match="must be finite"):
        detector.score(np.full((1, 2, detector.width_), np.nan))


@pytest.mark.parametrize(("name", "images"), [("msma", 20), ("diffpath_6d", 105), ("msma_mbe", 7)])
def test_fewer_images_than_the_mixture_has_parts(name, images):
    z = np.random.default_rng(0).standard_normal((1, images, 6))
    with pytest.raises(CFSError, match=f"needs at least .* Got {images} images"):
        detectors.create(name).fit(z)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("msma", {"draws": 2}, "Its options are: lams, components, seed"),
        ("msma_mbe", {"draws": 0}, "draws must be at least 1"),
        ("msma", {"components": ()}, "components must be"),
        ("diffpath_1d", {"bandwidth": 0.0}, "bandwidth must be"),
        ("diffpath_1d_mbe", {"lams": (5.0,)}, "two or more lams"),
        ("ddpm_ood", {"skip": 0}, "skip must be from 1 to 99"),
        ("ddpm_ood_mbe", {"levels": 5, "skip": 6}, "skip must be from 1 to the number of levels, 5"),
        ("gepc", {"keep": 5}, "keep must be from 1 to the number of levels, 4"),
    ],
)
def test_errors_say_what_is_allowed(name, options, message):
    with pytest.raises(CFSError, match=message):
        detectors.create(name, **options)


@pytest.mark.parametrize(("options", "message"), [({"group": ("hflap",)}, "hflap"), ({"share": 0.0}, "share must be")])
def test_groups_and_shares(tiny, options, message):
    with pytest.raises(CFSError, match=message):
        detectors.create("gepc", **options).readings(tiny)


def test_kernel_density_by_hand():
    values = np.array([0.0, 1.0, 4.0])
    density = KernelDensity(bandwidth=0.5).fit(values)
    by_hand = np.log(np.mean(np.exp(-0.5 * ((2.0 - values) / 0.5) ** 2)) / (0.5 * np.sqrt(2 * np.pi)))
    assert density.log_density([2.0])[0] == pytest.approx(by_hand)
    far = density.log_density([1e3, 1e4])  # far values keep their order
    np.testing.assert_allclose(far, [-0.5 * (996 / 0.5) ** 2, -0.5 * (9996 / 0.5) ** 2], rtol=1e-4)
    normal = np.random.default_rng(0).standard_normal(5000)
    silverman = KernelDensity().fit(normal)
    assert silverman.bandwidth_ == pytest.approx(0.9 * 5000**-0.2, rel=0.05)
    np.testing.assert_allclose(silverman.log_density([0.0, 1.0]), [-0.919, -1.419], atol=0.08)


def test_mixtures_choose_what_made_the_data():
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [8, 0], [0, 8], [8, 8]])
    values = centres[rng.integers(4, size=600)] + rng.standard_normal((600, 2)) * [[1.0, 0.3]]
    for choose in ("cv", "bic"):
        density = MixtureDensity((1, 2, 4), covariances=("full", "spherical"), choose=choose).fit(values)
        assert (density.components_, density.covariance_) == (4, "full")
    assert density.log_density([[4.0, 4.0]])[0] < density.log_density([[8.0, 0.0]])[0] - 5
