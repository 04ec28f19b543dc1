"""Two explorations: which taps and levels match, and intervals of their difference, paired and not."""

import dataclasses

import numpy as np
import pytest

from cfs_explore.contracts import Level, Tap
from cfs_explore.diagnostics import MeasuredMap, auroc, delong_covariance, difference_map, match_levels, match_taps


def tap(name, region, depth):
    return Tap(name, region, depth, 8, 4)


SHORT = [tap("in", "input", 0.0), tap("e", "encoder", 0.3), tap("d", "decoder", 0.74)]
LONG = [
    tap("conv", "input", 0.01),
    tap("down.0", "encoder", 0.1),
    tap("down.1", "encoder", 0.35),
    tap("mid", "middle", 0.5),
    tap("up.0", "decoder", 0.6),
    tap("up.1", "decoder", 0.7),
    tap("up.2", "decoder", 0.9),
]


def level(lam, requested=None):
    return Level(lam if requested is None else requested, lam, 1.0, 1.0, 0.0)


def measured(taps, levels, seed, *, shift=1.0, n_id=80, n_ood=70, common=0.9, images="x"):
    """Scores that share a part which depends on the image alone."""
    base, rng = np.random.default_rng(0).normal(size=n_id + n_ood), np.random.default_rng(seed)
    scores = common * base[:, None, None, None] + 0.4 * rng.normal(size=(n_id + n_ood, 1, len(levels), len(taps)))
    id_images, ood_images = ([f"{images}{role}{i:03d}" for i in range(n)] for role, n in (("i", n_id), ("o", n_ood)))
    return MeasuredMap(levels, taps, scores[:n_id], scores[n_id:] + shift, id_images, ood_images)


def test_taps_match_by_region_and_depth():
    expected = [("in", "conv"), ("e", "down.1"), ("d", "up.1")]
    assert [(SHORT[a].name, LONG[b].name) for a, b in match_taps(SHORT, LONG)] == expected
    assert [(SHORT[b].name, LONG[a].name) for a, b in match_taps(LONG, SHORT)] == expected


def test_a_tap_without_its_region_matches_nothing():
    assert match_taps([tap("mid", "middle", 0.5)], SHORT) == []
    assert match_taps([], LONG) == []


def test_taps_keep_the_order_of_execution():
    rng = np.random.default_rng(1)
    one, other = ([tap(str(i), "encoder", d) for i, d in enumerate(np.sort(rng.random(n)))] for n in (9, 14))
    pairs = match_taps(one, other)
    assert len(pairs) == 9 and [b for _, b in pairs] == sorted(b for _, b in pairs)
    assert match_taps(one, one) == [(i, i) for i in range(9)]


def test_levels_match_by_request_and_drop_what_is_too_far():
    one = [level(9.21, 9.0), level(5.0), level(1.0), level(-1.0)]
    other = [level(9.0), level(5.02, 5.0), level(0.6, 1.0), level(-1.5)]
    assert match_levels(one, other) == [(0, 0), (1, 1)]
    assert match_levels(one, other, tolerance=np.inf) == [(0, 0), (1, 1), (2, 2), (3, 3)]
    assert match_levels(one, [level(5.0)]) == [(1, 0)]
    assert match_levels(one, []) == []


def test_an_exploration_does_not_differ_from_itself():
    one = measured(SHORT, [level(5.0), level(1.0)], 1)
    frame = difference_map(one, one)
    assert len(frame) == 6 and frame["paired"].all()
    assert (frame[["difference", "lo", "hi"]] == 0).all(axis=None)


def test_paired_differences_are_delongs():
    one, other = measured(SHORT, [level(5.0)], 1, shift=0.8), measured(LONG, [level(5.1)], 2, shift=1.2)
    frame = difference_map(one, other)
    assert frame["paired"].all() and frame["tap_b"].tolist() == ["conv", "down.1", "up.1"]
    for row in frame.itertuples():
        sides = [(m, t) for m, t in ((one, row.tap_index_a), (other, row.tap_index_b))]
        stacked = [np.stack([getattr(m, name)[:, 0, 0, t] for m, t in sides]) for name in ("id_scores", "ood_scores")]
        value, covariance = delong_covariance(*stacked)
        half = 1.959964 * np.sqrt(np.array([-1, 1]) @ covariance @ np.array([-1, 1]))
        difference = value[1] - value[0]
        assert row.difference == pytest.approx(difference)
        assert (row.lo, row.hi) == pytest.approx((difference - half, difference + half), abs=0.4 * half)
        assert (row.auroc_a, row.auroc_b) == pytest.approx(tuple(value))


def test_the_order_of_the_images_does_not_matter():
    one, other = measured(SHORT, [level(5.0)], 1), measured(SHORT, [level(5.0)], 2, shift=1.3)
    order = np.random.default_rng(0).permutation(len(other.id_images))
    shuffled = dataclasses.replace(
        other, id_scores=other.id_scores[order], id_images=[other.id_images[i] for i in order]
    )
    first, second = difference_map(one, other), difference_map(one, shuffled)
    np.testing.assert_allclose(first[["lo", "hi"]], second[["lo", "hi"]])
    assert second["paired"].all()


def test_pairing_narrows_the_interval():
    one, other = measured(SHORT, [level(5.0)], 1, shift=0.8), measured(SHORT, [level(5.0)], 2, shift=1.0)
    apart = dataclasses.replace(other, ood_images=[f"other {name}" for name in other.ood_images])
    paired, independent = difference_map(one, other), difference_map(one, apart)
    assert paired["paired"].all() and not independent["paired"].any()
    np.testing.assert_allclose(paired["difference"], independent["difference"])
    assert ((paired["hi"] - paired["lo"]) < 0.8 * (independent["hi"] - independent["lo"])).all()


def test_independent_intervals_add_the_variances():
    one = measured(SHORT, [level(5.0)], 1, shift=0.6, images="x")
    other = measured(SHORT, [level(5.0)], 2, shift=0.8, n_id=50, n_ood=90, images="y")
    for row in difference_map(one, other).itertuples():
        halves = []
        for each in (one, other):
            _, lo, hi = auroc(each.id_scores[:, 0, 0, row.tap_index_a], each.ood_scores[:, 0, 0, row.tap_index_a])
            assert 0 < lo < hi < 1
            halves.append((hi - lo) / 2)
        assert row.hi - row.lo == pytest.approx(2 * np.hypot(*halves), rel=0.02)
        assert (row.n_id_a, row.n_ood_a, row.n_id_b, row.n_ood_b) == (80, 70, 50, 90)


def test_perfect_cells_are_not_certain():
    one, other = (measured(SHORT, [level(5.0)], seed, shift=50.0) for seed in (1, 2))
    frame = difference_map(one, other)
    assert (frame["difference"] == 0).all() and (frame["lo"] < 0).all() and (frame["hi"] > 0).all()


def test_nothing_in_common_is_an_empty_table():
    one, other = measured(SHORT, [level(5.0)], 1), measured(SHORT, [level(-5.0)], 2)
    frame = difference_map(one, other)
    assert len(frame) == 0 and {"difference", "lo", "hi", "region"} <= set(frame.columns)
