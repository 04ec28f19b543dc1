"""Pixel AUROC and AUPRO against slow references, DeLong with groups and the bootstrap; coverage; the best of halves."""

import numpy as np
import pytest
from scipy import ndimage

from cfs_explore.diagnostics.best_localisation import best_localisation
from cfs_explore.diagnostics.checks import ScoreError
from cfs_explore.diagnostics.delong import delong
from cfs_explore.diagnostics.groups import Groups
from cfs_explore.diagnostics.intervals import auroc_interval, share_interval
from cfs_explore.diagnostics.localisation import FPR_LIMIT, Pairs, Truth, group_variance, judge
from cfs_explore.images.planted import corners_of, marks


def patches(rng, images: int, side: int = 10, patch: int = 4) -> np.ndarray:
    return marks(rng.integers(0, side - patch + 1, (images, 2)), patch, (side, side))


def maps_of(rng, marked: np.ndarray, signal: float, digits: int | None = None) -> np.ndarray:
    """Correlated noise, an offset and a strength of each image's own; rounded, for ties."""
    images, side, _ = marked.shape
    coarse = rng.normal(size=(images, -(-side // 4), -(-side // 4)))
    maps = 0.7 * np.kron(coarse, np.ones((4, 4)))[:, :side, :side] + 0.7 * rng.normal(size=marked.shape)
    strength = signal + 0.5 * rng.normal(size=(images, 1, 1))
    maps = maps + 0.6 * rng.normal(size=(images, 1, 1)) + marked * strength
    return maps if digits is None else maps.round(digits)


def alone(marked: np.ndarray) -> Truth:
    return Truth(marked, np.arange(len(marked)))


def slow_aupro(maps: np.ndarray, marked: np.ndarray) -> float:
    """Threshold after threshold, the trapezoids up to the limit."""
    regions = []
    for image, mask in enumerate(marked):
        labels, count = ndimage.label(mask, np.ones((3, 3)))
        regions += [maps[image][labels == number] for number in range(1, count + 1)]
    others = maps[~marked]
    x, y = [0.0], [0.0]
    for threshold in sorted(set(maps.ravel()), reverse=True):
        x.append((others >= threshold).mean())
        y.append(np.mean([(region >= threshold).mean() for region in regions]))
    area = 0.0
    for k in range(1, len(x)):
        end = min(x[k], FPR_LIMIT)
        if end > x[k - 1]:
            at_end = y[k - 1] + (y[k] - y[k - 1]) * (end - x[k - 1]) / (x[k] - x[k - 1])
            area += (end - x[k - 1]) * (y[k - 1] + at_end) / 2
    return area / FPR_LIMIT


@pytest.mark.parametrize("digits", [None, 0, 1])
@pytest.mark.parametrize("groups", [1, 3])
def test_auroc_and_variance_are_those_of_delong_with_groups(digits, groups):
    rng = np.random.default_rng(groups)
    marked = patches(rng, 12)
    marked[3] = False  # an image in which nothing is marked
    maps, codes = maps_of(rng, marked, 1.0, digits), np.arange(12) // groups
    truth = Truth(marked, codes)
    found = Pairs(judge(maps, truth).pairs[None], truth.sizes).judged
    of_pixel = np.broadcast_to(codes[:, None, None], marked.shape)
    expected = delong(maps[~marked][None], maps[marked][None], Groups(of_pixel[~marked], of_pixel[marked]))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("digits", [None, 0, 1])
@pytest.mark.parametrize("signal", [-1.0, 0.0, 2.0, 9.0])
def test_aupro_is_the_area_threshold_by_threshold(digits, signal):
    rng = np.random.default_rng(5)
    marked = patches(rng, 6) | patches(rng, 6, patch=2)  # one region an image, or two of unequal size
    maps = maps_of(rng, marked, signal, digits)
    assert judge(maps, alone(marked)).aupro == pytest.approx(slow_aupro(maps, marked), abs=1e-12)


def test_known_numbers():
    marked = np.zeros((2, 4, 4), dtype=bool)
    marked[:, 1:3, 1:3] = True
    truth, flat = alone(marked), np.zeros(marked.shape)
    for maps, auroc, aupro in ((marked.astype(float), 1, 1), (flat, 0.5, FPR_LIMIT / 2), (-1.0 * marked, 0, 0)):
        found = judge(maps, truth)
        assert Pairs(found.pairs[None], truth.sizes).auroc == auroc and found.aupro == pytest.approx(aupro)


def test_regions_touch_at_corners_and_not_across_images():
    marked = np.zeros((2, 5, 5), dtype=bool)
    marked[0, [0, 1], [0, 1]] = marked[0, 4, 4] = marked[1, 0, 0] = True
    assert alone(marked).region.tolist() == [0, 0, 1, 2]


def test_the_spread_of_aupro_is_the_bootstraps():
    rng = np.random.default_rng(2)
    marked = patches(rng, 30)
    maps, truth = maps_of(rng, marked, 1.5), alone(marked)
    spread = np.sqrt(group_variance(judge(maps, truth).moved[:, None], truth.sizes))[0]
    drawn = [judge(maps[rows], alone(marked[rows])).aupro for rows in rng.integers(0, 30, (1500, 30))]
    assert spread == pytest.approx(np.std(drawn), rel=0.1)


def test_a_half_is_judged_by_its_own_pixels():
    rng = np.random.default_rng(3)
    marked = patches(rng, 8)
    truth = alone(marked)
    maps = [maps_of(rng, marked, signal) for signal in (0.5, 2)]
    pairs = Pairs(np.stack([judge(each, truth).pairs for each in maps]), truth.sizes)
    first = np.array([[True] * 3 + [False] * 5, [False, True] * 4])
    for half, found in zip((first, ~first), pairs.halves(first), strict=True):
        for split, chosen in enumerate(half):
            of_half = alone(marked[chosen])
            direct = [Pairs(judge(each[chosen], of_half).pairs[None], of_half.sizes).auroc[0] for each in maps]
            assert found[:, split] == pytest.approx(direct)
            part = pairs.part(np.flatnonzero(chosen))
            assert part.auroc == pytest.approx(direct) and part.judged.auroc == pytest.approx(direct)


@pytest.mark.parametrize(
    ("maps", "marked", "message"),
    [
        (np.zeros((2, 3, 3)), np.zeros((2, 3, 3), dtype=bool), "No pixel is marked"),
        (np.zeros((2, 3, 3)), np.ones((2, 3, 3), dtype=bool), "Every pixel is marked"),
        (np.zeros((2, 3, 4)), np.eye(3, dtype=bool)[None].repeat(2, 0), "differ in shape"),
        (np.full((2, 3, 3), np.nan), np.eye(3, dtype=bool)[None].repeat(2, 0), "must be finite"),
        (np.zeros((3, 3)), np.eye(3, dtype=bool), r"must be \(image, row, column\)"),
    ],
)
def test_what_cannot_be_judged(maps, marked, message):
    with pytest.raises(ScoreError, match=message):
        judge(maps, Truth(marked, np.arange(len(marked))))


@pytest.mark.simulation
@pytest.mark.parametrize(("images", "signal"), [(64, 0.3), (64, 1.5), (64, 3.0), (16, 1.5)])
def test_intervals_cover_with_few_images(images, signal):
    """Images whose maps have levels and strengths of their own: pixels alone would claim far too much."""
    rng = np.random.default_rng(11)
    marked = patches(rng, 1500)
    truth = alone(marked)
    whole = judge(maps_of(rng, marked, signal), truth)
    true = Pairs(whole.pairs[None], truth.sizes).auroc[0], whole.aupro
    hits = np.zeros((3, 200), dtype=bool)
    for k in range(200):
        marked = patches(rng, images)
        truth, maps = alone(marked), maps_of(rng, marked, signal)
        found = judge(maps, truth)
        value, var = Pairs(found.pairs[None], truth.sizes).judged
        area = np.array([found.aupro]), group_variance(found.moved[:, None], truth.sizes)
        pixels = auroc_interval(*delong(maps[~marked][None], maps[marked][None]), (~marked).sum(), marked.sum())
        limits = (auroc_interval(value, var, images, images), share_interval(*area, images), pixels)
        for kind, ((lo, hi), wanted) in enumerate(zip(limits, (*true, true[0]), strict=True)):
            hits[kind, k] = lo[0] <= wanted <= hi[0]
    covered = hits.mean(axis=1)
    assert covered[0] > 0.92 and covered[1] > 0.92 and covered[2] < 0.85


def pool(rng, marked: np.ndarray, signals) -> Pairs:
    truth = alone(marked)
    return Pairs(np.stack([judge(maps_of(rng, marked, each), truth).pairs for each in signals]), truth.sizes)


def test_the_best_map_and_its_controls():
    rng = np.random.default_rng(4)
    marked = patches(rng, 40)
    trained, weaker, one = (pool(rng, marked, signals) for signals in ((0, 2, 0.1), (0, 0.5), (1,)))
    found = best_localisation(trained, {"weaker": weaker, "same": trained, "one": one}, repeats=50).set_index("control")
    value = trained.auroc[1]
    assert found["trained"].to_numpy() == pytest.approx(value, abs=0.01)  # the same one is picked on every half
    assert (found["trained_lo"] < value).all() and (found["trained_hi"] > value).all()
    assert found.loc["same", ["excess", "lo", "hi"]].to_numpy() == pytest.approx(0) and found.loc["same", "p"] == 1
    assert found.loc["weaker", "lo"] > 0 and found.loc["weaker", "p"] < 0.01
    assert found.loc["one", "auroc"] == one.auroc[0]
    excess = found["trained"] - found["auroc"]
    assert found["excess"].to_numpy() == pytest.approx(excess.to_numpy())


def test_without_signal_the_best_of_many_is_chance():
    """Picked and judged on the same images, the best of sixty would be well above."""
    rng = np.random.default_rng(6)
    trained = pool(rng, patches(rng, 12), [0] * 60)
    found = best_localisation(trained, {"same": trained}, repeats=100).iloc[0]
    assert trained.auroc.max() > 0.6 and found["trained_lo"] < 0.5 < found["trained_hi"]


def test_too_few_images_or_maps_have_no_best():
    rng = np.random.default_rng(7)
    few = pool(rng, patches(rng, 3), [1, 2])
    assert best_localisation(few, {"same": few})["trained"].isna().all()
    none = Pairs(few.pairs[:0], few.sizes)
    assert best_localisation(none, {"same": none}).drop(columns="control").isna().all(axis=None)


def test_places_depend_on_the_image_alone_and_fill_it():
    ids = [f"{number:016x}" for number in range(3000)]
    corners = corners_of(ids, 0, (16, 20))
    assert (corners == corners_of(ids[::-1], 0, (16, 20))[::-1]).all()
    assert (corners != corners_of(ids, 1, (16, 20))).any()
    assert corners.min(axis=0).tolist() == [0, 0] and corners.max(axis=0).tolist() == [15, 19]
    found = marks(corners, 6, (16, 20))
    assert (found.sum(axis=(1, 2)) == 36).all()
    inside = (corners <= (10, 14)).all(axis=1).argmax()
    row, column = corners[inside]
    assert found[inside, row : row + 6, column : column + 6].all()
    assert marks(np.array([[15, 18]]), 2, (16, 20))[0][[15, 15, 0, 0], [18, 19, 18, 19]].all()


def test_a_map_of_places_alone_finds_no_patch():
    """Higher in the middle, as edges of a network's maps often are: no better than chance."""
    size = (16, 16)
    marked = marks(corners_of([f"{number:016x}" for number in range(1000)], 0, size), 6, size)
    rows, columns = np.indices(size)
    truth, middle = Truth(marked, np.arange(len(marked)), one=True), -np.hypot(rows - 7.5, columns - 7.5)
    for places in (middle, -middle):
        found = judge(np.broadcast_to(places, marked.shape), truth)
        assert Pairs(found.pairs[None], truth.sizes).auroc[0] == pytest.approx(0.5, abs=0.02)
        assert found.aupro == pytest.approx(0.15, abs=0.02)
    assert (truth.region == np.repeat(np.arange(1000), 36)).all()
