"""SSIM against its formula written out window by window, and known values."""

import numpy as np
import pytest

from cfs_explore.diagnostics import ScoreError, ssim


def literal_ssim(x, y, size):
    """Wang et al. 2004, equation 13, for one pair (C, H, W), data range 2."""
    offsets = np.arange(size) - size // 2
    window = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    values = []
    for channel in range(len(x)):
        for i in range(x.shape[1] - size + 1):
            for j in range(x.shape[2] - size + 1):
                p, q = (z[channel, i : i + size, j : j + size] for z in (x, y))
                mp, mq = (window * p).sum(), (window * q).sum()
                vp, vq = (window * (p - mp) ** 2).sum(), (window * (q - mq) ** 2).sum()
                cov = (window * (p - mp) * (q - mq)).sum()
                values.append((2 * mp * mq + c1) * (2 * cov + c2) / ((mp**2 + mq**2 + c1) * (vp + vq + c2)))
    return np.mean(values)


@pytest.mark.parametrize(("shape", "size"), [((1, 8, 9), 7), ((3, 15, 20), 7), ((2, 16, 17), 11)])
def test_equals_the_formula_window_by_window(shape, size):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, size=(2, *shape))
    y = 0.6 * x + 0.4 * rng.normal(size=x.shape)
    expected = [literal_ssim(*pair, size) for pair in zip(x, y, strict=True)]
    np.testing.assert_allclose(ssim(x, y), expected, rtol=1e-10)


def test_identical_is_one_and_inverted_is_negative():
    x = np.random.default_rng(1).uniform(-1, 1, size=(3, 1, 16, 16))
    np.testing.assert_allclose(ssim(x, x), 1.0, atol=1e-12)
    chequered = 0.5 * (-1.0) ** np.add.outer(np.arange(16), np.arange(16))[None, None]
    assert ssim(chequered, -chequered)[0] == pytest.approx(-1, abs=0.02)


def test_flat_pictures_compare_their_brightness_alone():
    x, y = np.full((1, 1, 16, 16), 0.5), np.full((1, 1, 16, 16), 0.25)
    assert ssim(x, y)[0] == pytest.approx((2 * 0.125 + 4e-4) / (0.25 + 0.0625 + 4e-4))


def test_more_noise_is_less_similar():
    rng = np.random.default_rng(2)
    x, e = rng.uniform(-1, 1, size=(4, 3, 16, 16)), rng.normal(size=(4, 3, 16, 16))
    values = [ssim(x, x + b * e).mean() for b in (0.01, 0.1, 1.0, 10.0)]
    assert values == sorted(values, reverse=True) and values[0] > 0.99 and abs(values[-1]) < 0.1


@pytest.mark.parametrize(("one", "other"), [((2, 1, 8, 8), (1, 1, 8, 8)), ((1, 1, 6, 8), (1, 1, 6, 8))])
def test_other_shapes_are_refused(one, other):
    with pytest.raises(ScoreError, match="at least 7 pixels"):
        ssim(np.zeros(one), np.zeros(other))
