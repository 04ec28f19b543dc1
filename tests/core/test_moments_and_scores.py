"""Moments and slot scores against plain NumPy on all samples at once."""

import numpy as np
import pytest

from cfs_explore.scoring import Moments, slot_scores

COLUMNS = {"first": slice(0, 4), "second": slice(4, 10)}


def snapshots(n=23, draws=3, levels=2, offset=0.0, seed=0):
    """(level, draw, image, 10): an image effect plus noise, as float32."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(levels, 1, n, 10)) * 2 + rng.normal(size=(levels, draws, n, 10)) + offset
    return z.astype(np.float32)


def in_pieces(block, cuts):
    parts = [Moments.of(part) for part in np.split(block, cuts, axis=2)]
    total = parts[0]
    for part in parts[1:]:
        total = total.merge(part)
    return total


@pytest.mark.parametrize("offset", [0.0, 500.0])
@pytest.mark.parametrize("cuts", [[], [1], [5, 6, 20]])
def test_merged_moments_are_those_of_all_samples(offset, cuts):
    block = snapshots(offset=offset)
    moments = in_pieces(block, cuts)
    every = block.astype(np.float64).transpose(0, 1, 2, 3).reshape(2, -1, 10)  # (level, draw x image, feature)
    assert moments.count == 69
    np.testing.assert_allclose(moments.mean, every.mean(axis=1), rtol=1e-9)
    np.testing.assert_allclose(moments.variance, every.var(axis=1), rtol=1e-6)
    z = block.astype(np.float64)
    within = ((z - z.mean(axis=1, keepdims=True)) ** 2).sum(axis=(1, 2))
    np.testing.assert_allclose(moments.m2_within, within, rtol=1e-6)
    assert all(v.dtype == np.float64 for v in (moments.mean, moments.m2, moments.m2_within))


def test_one_draw_has_no_within_image_spread():
    moments = Moments.of(snapshots(draws=1))
    assert np.all(moments.m2_within == 0)
    assert np.all(moments.m2 > 0)


def test_variance_is_floored():
    assert np.all(Moments.of(np.ones((1, 1, 5, 10), np.float32)).variance == 1e-6)


def test_slot_scores_are_theory_3():
    train, block = snapshots(seed=1), snapshots(n=9, seed=2) * 1.5
    moments = Moments.of(train)
    scores = slot_scores(block, moments, COLUMNS)
    assert scores.shape == (9, 3, 2, 2) and scores.dtype == np.float32 and scores.flags.c_contiguous
    for k in range(2):
        for tap, columns in enumerate(COLUMNS.values()):
            mu, v = moments.mean[k, columns], moments.variance[k, columns]
            for m in range(3):
                expected = ((block[k, m, :, columns].astype(np.float64) - mu) ** 2 / v).mean(axis=1)
                np.testing.assert_allclose(scores[:, m, k, tap], expected, rtol=1e-5)


def test_training_images_score_one_on_average():
    train = snapshots(n=200)
    np.testing.assert_allclose(slot_scores(train, Moments.of(train), COLUMNS).mean(axis=(0, 1)), 1.0, rtol=1e-5)


def test_scores_survive_a_large_mean_and_a_small_spread():
    """mean / std = 2,000: the subtraction must come before anything is rounded away."""
    rng = np.random.default_rng(0)
    train, block = (40.0 + 0.02 * rng.normal(size=(1, 1, 200, 10)).astype(np.float32) for _ in range(2))
    moments = Moments.of(train)
    exact = ((block.astype(np.float64) - moments.mean[:, None, None]) ** 2 / moments.variance[:, None, None])[0, 0]
    scores = slot_scores(block, moments, COLUMNS)[:, 0, 0]
    np.testing.assert_allclose(scores[:, 0], exact[:, :4].mean(axis=1), rtol=2e-3)
