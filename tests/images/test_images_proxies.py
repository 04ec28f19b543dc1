"""Proxy OOD images: what an image becomes depends on its id and the seed alone, and every kind changes it."""

import numpy as np
import pytest

from cfs_explore.images import BUILTIN_SETS
from cfs_explore.images.proxies import PROXIES, made_by, make_proxy
from cfs_explore.images.transforms import TRANSFORMS
from cfs_explore.studies.prediction import PROXIES as KINDS


def some_images(n=9, channels=1, height=16, width=16, seed=0):
    """Uneven random shapes: no symmetry, and no two alike."""
    values = np.random.default_rng(seed).integers(0, 256, (n, channels, height, width))
    values[:, :, : height // 2] //= 3  # darker above than below
    return values.astype(np.uint8), [f"image-{i}" for i in range(n)]


def test_the_stage_knows_the_kinds():
    assert tuple(PROXIES) == KINDS


@pytest.mark.parametrize("kind", PROXIES)
@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 16, 16), (4, 9, 14), (2, 3, 2), (1, 1, 1)])
def test_any_shape_stays_and_the_given_images_too(kind, shape):
    pixels, ids = some_images(5, *shape)
    before = pixels.copy()
    proxies = make_proxy(kind, pixels, ids)
    assert proxies.dtype == np.uint8 and proxies.shape == pixels.shape
    assert (pixels == before).all()


@pytest.mark.parametrize("kind", PROXIES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [8, 16, 64])
def test_every_image_changes(kind, channels, side):
    """Ramps with a little texture, which a weak blur or a good JPEG would leave as they are."""
    rng = np.random.default_rng(0)
    slopes = rng.normal(size=(20, channels, 2, 1, 1)) * 60
    y, x = np.mgrid[:side, :side] / side
    ids = [f"image-{i}" for i in range(20)]
    ramps = 120 + slopes[:, :, 0] * x + slopes[:, :, 1] * y + rng.normal(0, 6, (20, channels, side, side))
    pixels = np.clip(ramps, 0, 255).astype(np.uint8)
    proxies = make_proxy(kind, pixels, ids)
    assert (proxies != pixels).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("kind", PROXIES)
def test_order_is_nothing_and_the_seed_counts(kind):
    pixels, ids = some_images()
    proxies, order = make_proxy(kind, pixels, ids, seed=3), np.random.default_rng(1).permutation(len(ids))
    shuffled = make_proxy(kind, pixels[order], [ids[i] for i in order], seed=3)
    assert (shuffled == proxies[order]).all()
    assert (make_proxy(kind, pixels, ids, seed=4) != proxies).any()


@pytest.mark.parametrize("kind", [kind for kind in PROXIES if kind != "mix"])
def test_batches_are_nothing(kind):
    pixels, ids = some_images()
    whole = make_proxy(kind, pixels, ids)
    parts = [make_proxy(kind, pixels[i : i + 2], ids[i : i + 2]) for i in range(0, len(ids), 2)]
    assert (np.concatenate(parts) == whole).all()


def test_blur_smooths_and_noise_roughens():
    pixels, ids = some_images(30)
    smooth = np.broadcast_to(np.linspace(60, 180, 16), (30, 1, 16, 16)).astype(np.uint8)

    def roughness(values):
        return np.abs(np.diff(values.astype(float), axis=-1)).mean(axis=(1, 2, 3))

    assert (roughness(make_proxy("blur", pixels, ids)) < roughness(pixels)).all()
    assert (roughness(make_proxy("noise", smooth, ids)) > roughness(smooth)).all()


def test_shuffle_keeps_the_patches_and_flip_the_values():
    pixels, ids = some_images()
    assert (np.sort(make_proxy("flip", pixels, ids).reshape(9, -1)) == np.sort(pixels.reshape(9, -1))).all()
    for before, after in zip(pixels, make_proxy("shuffle", pixels, ids), strict=True):
        patches = [
            sorted(x[0, i : i + 4, j : j + 4].tobytes() for i in range(0, 16, 4) for j in range(0, 16, 4))
            for x in (before, after)
        ]
        assert patches[0] == patches[1]


def test_flip_takes_every_turn():
    pixels, _ = some_images(1)
    ids = [str(i) for i in range(60)]
    turned = {x.tobytes() for x in make_proxy("flip", np.repeat(pixels, 60, axis=0), ids)}
    image = pixels[0]
    expected = [image[:, ::-1], image[:, :, ::-1], *(np.rot90(image, k, (1, 2)) for k in (1, 2, 3))]
    assert turned == {x.tobytes() for x in expected}


def test_colour_inverts_half_of_the_grey_images():
    pixels, _ = some_images(1)
    changed = make_proxy("colour", np.repeat(pixels, 200, axis=0), [str(i) for i in range(200)]).astype(float)
    darker_above = changed[:, :, :8].mean(axis=(1, 2, 3)) < changed[:, :, 8:].mean(axis=(1, 2, 3))
    assert 60 < darker_above.sum() < 140


def test_mix_averages_pairs_and_everyone_is_used_twice():
    pixels, ids = some_images()
    mixed = make_proxy("mix", pixels, ids)
    partners = []
    for i in range(9):
        halves = np.rint((pixels[i].astype(float) + pixels) / 2).astype(np.uint8)  # with each other image
        (found,) = np.flatnonzero((halves == mixed[i]).all(axis=(1, 2, 3)))
        partners.append(int(found))
    assert sorted(partners) == list(range(9)) and all(p != i for i, p in enumerate(partners))


def test_a_single_image_has_no_partner():
    pixels, ids = some_images(1)
    assert (make_proxy("mix", pixels, ids) == pixels).all()


def test_sets_that_the_project_alters_are_known():
    for name in BUILTIN_SETS:
        kind = made_by({"builtin": name})
        assert kind in PROXIES if name.startswith("digits-") else kind is None
    for change in TRANSFORMS:
        assert made_by({"altered": change, "of": "x.zip"}) == made_by({"builtin": f"digits-{change}"})
    assert made_by("x.zip") is None
