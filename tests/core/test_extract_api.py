"""``cfs.extract``: shapes, noise, invariance to batches and order, and messages for input that does not fit."""

import numpy as np
import pytest
import torch

import cfs_explore as cfs
from cfs_explore.corruption import array_ids, keyed_noise
from cfs_explore.errors import BackboneError, CFSError, LevelError, RunError, TapError
from cfs_explore.locations import BUNDLES
from cfs_explore.taps.pooling import pool

LAMS = [7.0, 1.0]
TAPS = ["conv_in", "mid_block.attentions.0", "up_blocks.1.resnets.1"]


@pytest.fixture(scope="module")
def reference(tiny, tiny_images):
    """Two draws of every tap at two levels, in the default batch."""
    return cfs.extract(tiny, tiny_images, LAMS, draws=2, seed=3)


def assert_same(left, right, which=np.s_[:]):
    for tap in left:
        np.testing.assert_allclose(left[tap], right[tap][:, :, which], rtol=1e-4, atol=1e-5)


def test_against_a_plain_forward(tiny, tiny_images, reference):
    """Corrupt, run and pool by hand, one image, level and draw at a time."""
    noise = keyed_noise(array_ids(tiny_images), 2, (1, 8, 8), seed=3)
    module, seen = tiny.module.get_submodule(TAPS[1]), []
    handle = module.register_forward_hook(lambda m, i, out: seen.append(out))
    for k, lam in enumerate(LAMS):
        level = tiny.match(lam)
        for m in range(2):
            x = torch.from_numpy(level.a * tiny_images[5:6] + level.b * noise[m, 5:6]).float()
            with torch.no_grad():
                tiny.module(x, torch.tensor([int(level.native)]))
            np.testing.assert_allclose(reference[TAPS[1]][k, m, 5], pool(seen[-1])[0], rtol=1e-4, atol=1e-5)
    handle.remove()


def test_shapes_names_and_order(tiny, reference):
    assert list(reference) == [t.name for t in tiny.taps()] == [t.name for t in reference.taps]
    assert [level.requested for level in reference.levels] == LAMS
    for tap in tiny.taps():
        assert reference[tap.name].shape == (2, 2, 24, 2 * tap.channels)
        assert reference[tap.name].dtype == np.float32
        assert np.isfinite(reference[tap.name]).all()


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_batch_size_does_not_matter(tiny, tiny_images, reference, batch_size):
    assert_same(
        cfs.extract(tiny, tiny_images[:10], LAMS, draws=2, seed=3, batch_size=batch_size), reference, np.s_[:10]
    )


def test_order_subset_and_number_of_draws_do_not_matter(tiny, tiny_images, reference):
    shuffled = np.random.default_rng(0).permutation(24)[:9]
    some = cfs.extract(tiny, tiny_images[shuffled], LAMS, TAPS[::-1], draws=2, seed=3)
    assert list(some) == TAPS  # execution order, whatever the order of the request
    assert_same(some, reference, shuffled)
    one_draw = cfs.extract(tiny, tiny_images, LAMS, TAPS, draws=1, seed=3)
    for tap in TAPS:
        np.testing.assert_allclose(one_draw[tap], reference[tap][:, :1], rtol=1e-4, atol=1e-5)


def test_keyed_noise_is_the_default_and_ids_key_it(tiny, tiny_images, reference):
    given = keyed_noise(array_ids(tiny_images), 2, (1, 8, 8), seed=3)
    assert_same(cfs.extract(tiny, tiny_images, LAMS, TAPS, noise=given), reference)
    ids = [f"other-{i}" for i in range(24)]
    other = cfs.extract(tiny, tiny_images, LAMS, TAPS, draws=2, seed=3, ids=ids)
    assert np.abs(other[TAPS[0]] - reference[TAPS[0]]).max() > 1e-3
    given = keyed_noise(ids, 2, (1, 8, 8), seed=3)
    assert_same(other, cfs.extract(tiny, tiny_images, LAMS, TAPS, noise=given))


def test_more_images_than_a_block(tiny, tiny_images):
    """The loop over blocks of 256 images must not drop or shift any."""
    many = np.concatenate([tiny_images] * 11)  # 264 images
    ids = [str(i) for i in range(264)]
    snaps = cfs.extract(tiny, many, [5.0], ["conv_in"], ids=ids)
    for i in (0, 255, 256, 263):
        one = cfs.extract(tiny, many[i : i + 1], [5.0], ["conv_in"], ids=ids[i : i + 1])
        np.testing.assert_allclose(snaps["conv_in"][:, :, i], one["conv_in"][:, :, 0], rtol=1e-4, atol=1e-5)


def test_bf16_is_close_but_not_equal(tiny, tiny_images, reference):
    rough = cfs.extract(tiny, tiny_images, LAMS, TAPS, draws=2, seed=3, precision="bf16")
    difference = np.abs(rough[TAPS[2]] - reference[TAPS[2]]).max()
    assert 1e-5 < difference < 0.2


def test_images_that_do_not_fit(tiny, tiny_images):
    for wrong in (tiny_images[0], tiny_images[:, :, :4], np.repeat(tiny_images, 3, axis=1)):
        with pytest.raises(BackboneError, match=r"tiny takes images of shape \(n, 1, 8, 8\); got"):
            cfs.extract(tiny, wrong, [5.0])
    for wrong in (tiny_images * 127.5, np.full_like(tiny_images, np.nan)):
        with pytest.raises(BackboneError, match=r"must lie in \[-1, 1\]; got values from"):
            cfs.extract(tiny, wrong, [5.0])


def test_noise_and_ids_that_do_not_fit(tiny, tiny_images):
    with pytest.raises(CFSError, match=r"noise must be \(draws, 24, 1, 8, 8\); got \(24, 1, 8, 8\)"):
        cfs.extract(tiny, tiny_images, [5.0], noise=tiny_images)
    with pytest.raises(CFSError, match="24 images need 24 ids; got 3"):
        cfs.extract(tiny, tiny_images, [5.0], ids=["a", "b", "c"])


def test_taps_levels_and_precision_that_do_not_exist(tiny, tiny_images):
    with pytest.raises(TapError, match=r"Unknown taps: conv_nowhere\. The backbone has: conv_in, "):
        cfs.extract(tiny, tiny_images, [5.0], ["conv_in", "conv_nowhere"])
    with pytest.raises(TapError, match="none given"):
        cfs.extract(tiny, tiny_images, [5.0], [])
    with pytest.raises(LevelError, match="finite log-SNR"):
        cfs.extract(tiny, tiny_images, [float("nan")])
    with pytest.raises(LevelError, match=r"must be one of logsnr, uniform_t, .*; got 'psnr'"):
        cfs.extract(tiny, tiny_images, [5.0], alignment="psnr")
    with pytest.raises(CFSError, match="must be one of fp32, bf16; got 'fp8'"):
        cfs.extract(tiny, tiny_images, [5.0], precision="fp8")


def test_short_names_of_taps(tiny, tiny_images, reference):
    snaps = cfs.extract(tiny, tiny_images, LAMS, ["up1.res1", "conv_in", "mid.attn"], draws=2, seed=3)
    assert list(snaps) == TAPS
    assert_same(snaps, reference)
    np.testing.assert_array_equal(snaps["up1.res1"], snaps["up_blocks.1.resnets.1"])
    with pytest.raises(KeyError):
        snaps["up1.res9"]
    with pytest.raises(TapError, match=r"taps must be a list of names, such as \['up1.res1'\]; got 'up1.res1'"):
        cfs.extract(tiny, tiny_images, LAMS, "up1.res1")
    with pytest.raises(TapError, match=r"Unknown taps: up1\.res9\. The backbone has: conv_in, "):
        cfs.extract(tiny, tiny_images, LAMS, ["up1.res9"])


@pytest.mark.parametrize("draws", [0, -1, 1.5, "2", True])
def test_draws_that_are_no_number_of_draws(tiny, tiny_images, draws):
    with pytest.raises(CFSError, match=rf"draws must be a whole number from 1 on; got {draws!r}\."):
        cfs.extract(tiny, tiny_images, [5.0], ["conv_in"], draws=draws)


@pytest.mark.parametrize("lams", [[], (), np.array([]), 5.0, "5"])
def test_levels_that_are_no_list(tiny, tiny_images, lams):
    with pytest.raises(LevelError, match=r"lams must be one or more log-SNRs, such as \[5\.0\]; got "):
        cfs.extract(tiny, tiny_images, lams, ["conv_in"])


def test_draws_and_noise_that_disagree(tiny, tiny_images):
    noise = keyed_noise(array_ids(tiny_images), 2, (1, 8, 8), seed=3)
    for draws in (1, 3):
        with pytest.raises(CFSError, match=f"draws = {draws}, but noise holds 2. Leave draws out, or give noise of"):
            cfs.extract(tiny, tiny_images, [5.0], ["conv_in"], draws=draws, noise=noise)
    assert cfs.extract(tiny, tiny_images, [5.0], ["conv_in"], draws=2, noise=noise)["conv_in"].shape[1] == 2
    with pytest.raises(CFSError, match=r"noise must hold one draw or more"):
        cfs.extract(tiny, tiny_images, [5.0], ["conv_in"], noise=noise[:0])


def test_a_run_opens_by_its_name_as_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cfs.open_run("digits").digest == cfs.open_run(BUNDLES / "digits").digest
    with pytest.raises(RunError, match=r"no finished run 'nosuch'. Give its folder, or a bundle: .*digits"):
        cfs.open_run("nosuch")
    (tmp_path / "digits").mkdir()  # a folder of this name comes first
    with pytest.raises(RunError):
        cfs.open_run("digits")
