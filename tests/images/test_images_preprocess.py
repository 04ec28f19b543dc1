"""Fitting images to an input shape, and thumbnails."""

import io

import numpy as np
import pytest
from PIL import Image

from cfs_explore.errors import BackboneError, SpecError
from cfs_explore.images import RESIZE_POLICIES, thumbnail, to_input

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (12, 12, 3), np.uint8)
GREY = RGB[:, :, :1].copy()


@pytest.mark.parametrize("policy", RESIZE_POLICIES)
def test_matching_size_is_bit_exact(policy):
    np.testing.assert_array_equal(to_input(RGB, (3, 12, 12), policy), RGB.transpose(2, 0, 1))
    np.testing.assert_array_equal(to_input(GREY, (1, 12, 12), policy), GREY.transpose(2, 0, 1))
    wide = RNG.integers(0, 256, (5, 9, 3), np.uint8)
    np.testing.assert_array_equal(to_input(wide, (3, 5, 9), policy), wide.transpose(2, 0, 1))


def test_grey_and_colour():
    repeated = to_input(GREY, (3, 12, 12))
    assert all(np.array_equal(repeated[c], GREY[:, :, 0]) for c in range(3))
    luma = to_input(RGB, (1, 12, 12))[0]
    assert np.abs(luma - RGB @ np.array([0.299, 0.587, 0.114])).max() <= 0.51
    np.testing.assert_array_equal(to_input(np.repeat(GREY, 3, axis=2), (1, 12, 12)), GREY.transpose(2, 0, 1))


@pytest.mark.parametrize("policy", RESIZE_POLICIES)
@pytest.mark.parametrize("size", [(5, 40), (40, 5), (1, 300), (300, 1), (1, 1), (13, 12), (64, 64)])
@pytest.mark.parametrize("shape", [(3, 12, 12), (1, 8, 16)])
def test_shape_and_type(policy, size, shape):
    x = to_input(np.full((*size, 3), 77, np.uint8), shape, policy)
    assert (x.shape, x.dtype, x.flags.c_contiguous) == (shape, np.uint8, True)
    assert set(np.unique(x)) <= ({0, 77} if policy == "pad" else {77})


def test_crop_takes_the_centre_without_resampling_where_the_short_side_fits():
    wide = RNG.integers(0, 256, (12, 31, 3), np.uint8)
    np.testing.assert_array_equal(to_input(wide, (3, 12, 12), "crop"), wide[:, 9:21].transpose(2, 0, 1))


def test_pad_adds_black_bars_around_everything():
    wide = np.full((6, 12, 1), 200, np.uint8)
    x = to_input(wide, (1, 12, 12), "pad")[0]
    assert (x[3:9] == 200).all()
    assert (x[:3] == 0).all()
    assert (x[9:] == 0).all()


def test_squash_keeps_both_ends():
    wide = np.zeros((8, 32, 1), np.uint8)
    wide[:, :8] = 255
    x = to_input(wide, (1, 8, 8), "squash")[0]
    assert (x[:, 0] > 250).all()
    assert (x[:, -1] == 0).all()


def test_shrinking_filters_first():
    checkerboard = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)[:, :, None]
    assert np.abs(to_input(checkerboard, (1, 8, 8))[0].astype(int) - 127).max() <= 3


def test_each_filter_is_pillows_and_bicubic_is_the_usual_one():
    large, shape = RNG.integers(0, 256, (23, 40, 3), np.uint8), (3, 9, 9)
    for name, pillows in (("bicubic", Image.Resampling.BICUBIC), ("bilinear", Image.Resampling.BILINEAR)):

        def scaled(pixels, width, height, pillows=pillows):
            return np.asarray(Image.fromarray(pixels).resize((width, height), pillows)).transpose(2, 0, 1)

        np.testing.assert_array_equal(to_input(large, shape, "squash", name), scaled(large, 9, 9))
        np.testing.assert_array_equal(to_input(large, shape, "crop", name), scaled(large[:, 8:31], 9, 9))
        np.testing.assert_array_equal(to_input(large, shape, "pad", name)[:, 2:7], scaled(large, 9, 5))
    for policy in RESIZE_POLICIES:
        usual = to_input(large, shape, policy)
        np.testing.assert_array_equal(usual, to_input(large, shape, policy, "bicubic"))
        assert (usual != to_input(large, shape, policy, "bilinear")).any()


def test_one_pixel_high_image_stays_small():
    assert to_input(np.zeros((1, 2_000_000, 1), np.uint8), (1, 32, 32), "crop").shape == (1, 32, 32)


def test_errors():
    with pytest.raises(SpecError, match="allowed are crop, squash, pad"):
        to_input(RGB, (3, 12, 12), "stretch")
    with pytest.raises(SpecError, match="resize filter 'nearest': allowed are bicubic, bilinear"):
        to_input(RGB, (3, 12, 12), "crop", "nearest")
    with pytest.raises(BackboneError, match=r"\(4, 12, 12\)"):
        to_input(RGB, (4, 12, 12))


def test_thumbnail_is_lossless_when_small_and_bounded_when_large():
    small = np.asarray(Image.open(io.BytesIO(thumbnail(RGB))))
    np.testing.assert_array_equal(small, RGB)
    large = Image.open(io.BytesIO(thumbnail(np.zeros((300, 150, 1), np.uint8), side=32)))
    assert (large.size, large.mode, large.format) == ((16, 32), "L", "PNG")
    assert Image.open(io.BytesIO(thumbnail(np.zeros((1, 900, 3), np.uint8)))).size == (64, 1)
