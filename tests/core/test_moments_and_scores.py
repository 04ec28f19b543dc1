"""Moments and slot scores against plain NumPy on all samples at once."""

import numpy as np
import pytest

from cfs_explore.contracts import Tap
from cfs_explore.scoring import (
    Moments,
    feature_columns,
    mean_over_draws,
    mean_per_tap,
    slot_scores,
    sum_per_tap,
)

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


def test_what_lies_between_images_is_what_the_draws_leave():
    block = snapshots()
    moments, of_image = Moments.of(block), block.astype(np.float64).mean(axis=1)
    between = 3 * np.square(of_image - of_image.mean(axis=1, keepdims=True)).sum(axis=1)
    np.testing.assert_allclose(moments.m2_between, between, rtol=1e-6)
    rounded = Moments(6, np.zeros((1, 1)), np.full((1, 1), 1.0), np.full((1, 1), 1.0 + 1e-12))
    assert rounded.m2_between == 0


@pytest.mark.parametrize("features", [slice(4, 10), np.array([7, 0, 3])])
@pytest.mark.parametrize(("levels", "kept"), [(1, [1]), ([2, 0], [2, 0])])
def test_a_cut_is_the_moments_of_the_cut_snapshots(levels, kept, features):
    block = snapshots(levels=3)
    cut, again = Moments.of(block).at(levels, features), Moments.of(block[kept][..., features])
    assert cut.count == again.count and cut.mean.shape == again.mean.shape
    for name in ("mean", "m2", "m2_within"):
        np.testing.assert_allclose(getattr(cut, name), getattr(again, name), rtol=1e-12)
    assert Moments.of(block).at(levels).mean.shape == (len(kept), 10)


def test_arrays_give_the_moments_back():
    moments = Moments.of(snapshots())
    again = Moments.from_arrays(moments.to_arrays() | {"shards": np.int64(3)})
    assert again.count == moments.count and isinstance(again.count, int)
    assert all(np.array_equal(again.to_arrays()[key], values) for key, values in moments.to_arrays().items())


def test_columns_follow_the_taps():
    taps = [Tap("a", "encoder", 0.1, 8, 3), Tap("b", "decoder", 0.2, 8, 2)]
    assert feature_columns(taps) == {"a": slice(0, 6), "b": slice(6, 10)}


@pytest.mark.parametrize("shape", [(10,), (3, 10), (2, 3, 10)])
def test_sums_and_averages_per_tap(shape):
    values = np.random.default_rng(0).normal(size=shape)
    sums, means = sum_per_tap(values, COLUMNS), mean_per_tap(values, COLUMNS)
    assert sums.shape == means.shape == (*shape[:-1], 2)
    np.testing.assert_allclose(sums[..., 1], sum(values[..., j] for j in range(4, 10)), rtol=1e-12)
    assert np.array_equal(means, sums / [4, 6])


def test_the_mean_over_draws_is_summed_in_float64_unless_asked_otherwise():
    scores = np.array(
        [[[1.0], [2.0**-24], [2.0**-24]]], np.float32
    )  # (image, draw, cell); float32 loses the small ones
    assert mean_over_draws(scores).dtype == np.float64 and mean_over_draws(scores).shape == (1, 1)
    assert mean_over_draws(scores)[0, 0] == (1 + 2.0**-23) / 3
    assert mean_over_draws(scores, np.float32)[0, 0] == np.float32(1) / np.float32(3)


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
