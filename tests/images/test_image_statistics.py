"""Image statistics: slow references, images whose answer is known; re-encoding."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cfs_explore.images.reencode import reencode
from cfs_explore.images.statistics import STATISTICS, image_statistics


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def luma(image):
    r, g, b = image.astype(float) if len(image) == 3 else [image[0].astype(float)] * 3
    return 0.299 * r + 0.587 * g + 0.114 * b


def slow_blockiness(y):
    across, inside = [], []
    for row in y:
        for x in range(1, len(row)):
            (across if x % 8 == 0 else inside).append(abs(row[x] - row[x - 1]))
    return np.mean(across) - np.mean(inside)


@pytest.mark.parametrize("channels", [1, 3])
def test_against_plain_loops(channels):
    pixels = noise(4, channels, 18, 21)
    table = image_statistics(pixels)
    assert list(table) == list(STATISTICS) and len(table) == 4
    for image, row in zip(pixels, table.itertuples(), strict=True):
        y = luma(image)
        assert row.mean == pytest.approx(y.sum() / y.size)
        assert row.contrast == pytest.approx(np.sqrt(((y - y.mean()) ** 2).sum() / y.size))
        laplacian = [
            y[i - 1, j] + y[i + 1, j] + y[i, j - 1] + y[i, j + 1] - 4 * y[i, j]
            for i in range(1, 17)
            for j in range(1, 20)
        ]
        assert row.sharpness == pytest.approx(np.var(laplacian))
        assert row.blockiness == pytest.approx((slow_blockiness(y) + slow_blockiness(y.T)) / 2)


def test_colourfulness_of_known_images():
    flat = np.zeros((2, 3, 8, 8), np.uint8)
    flat[0] = 90  # grey
    flat[1, 0] = 255  # pure red: rg = 255, yb = 127.5, no spread
    table = image_statistics(flat)
    assert table["colourfulness"].tolist() == pytest.approx([0, 0.3 * np.hypot(255, 127.5)])
    assert (image_statistics(noise(3, 1, 9, 9))["colourfulness"] == 0).all()


def test_noise_compresses_worse_than_a_ramp_and_is_sharper():
    ramp = np.broadcast_to(np.arange(32, dtype=np.uint8) * 7, (1, 1, 32, 32))
    flat, sloped, rough = (
        image_statistics(p).iloc[0] for p in (np.full((1, 1, 32, 32), 9, np.uint8), ramp, noise(1, 1, 32, 32))
    )
    assert flat.complexity < sloped.complexity < rough.complexity and rough.complexity > 8
    assert flat.sharpness == 0 and rough.sharpness > sloped.sharpness


def test_complexity_is_the_size_of_the_png():
    image = noise(1, 3, 16, 24)
    buffer = io.BytesIO()
    Image.fromarray(image[0].transpose(1, 2, 0)).save(buffer, "PNG", compress_level=9)
    assert image_statistics(image)["complexity"][0] == 8 * len(buffer.getvalue()) / (3 * 16 * 24)


def test_strong_jpeg_is_blockier_than_the_original():
    y, x = np.mgrid[:64, :64]
    smooth = (np.sin(x / 9) * np.cos(y / 7) * 90 + 128).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(smooth).save(buffer, "JPEG", quality=5)
    coded = np.asarray(Image.open(buffer))
    blocky = np.kron(noise(8, 8), np.ones((8, 8), np.uint8))
    before, after, most = image_statistics(np.stack([smooth, coded, blocky])[:, None])["blockiness"]
    assert before < 1 < after < most


def test_tiny_images_and_long_sets():
    table = image_statistics(noise(3, 1, 2, 2))
    assert (table[["sharpness", "blockiness"]] == 0).all(axis=None)
    assert len(image_statistics(noise(0, 1, 8, 8))) == 0
    with pytest.raises(ValueError, match="uint8"):
        image_statistics(noise(2, 4, 8, 8))


def test_parts_do_not_change_the_numbers(monkeypatch):
    from cfs_explore.images import statistics

    pixels = noise(7, 3, 16, 16)
    whole = image_statistics(pixels)
    monkeypatch.setattr(statistics, "_PART_BYTES", 2 * 8 * 3 * 16 * 16)
    pd.testing.assert_frame_equal(image_statistics(pixels), whole)


@pytest.mark.parametrize("shape", [(3, 1, 16, 16), (2, 3, 9, 13), (1, 1, 1, 1), (0, 1, 8, 8)])
def test_reencoding_keeps_shape_and_is_deterministic(shape):
    pixels = noise(*shape)
    once, again = reencode(pixels), reencode(pixels.copy())
    assert once.dtype == np.uint8 and once.shape == shape and (once == again).all()


def test_reencoding_removes_detail_and_keeps_the_rest():
    rough, flat = noise(2, 1, 16, 16), np.full((1, 3, 16, 16), 120, np.uint8)
    assert reencode(rough).std() < 0.8 * rough.std()
    assert np.abs(reencode(flat).astype(int) - 120).max() <= 2
    left_dark = np.zeros((1, 1, 16, 16), np.uint8)
    left_dark[..., 8:] = 255
    assert (reencode(left_dark)[0, 0, :, :4] < 60).all() and (reencode(left_dark)[0, 0, :, 12:] > 195).all()
    with pytest.raises(ValueError, match="uint8"):
        reencode(flat.astype(float))
