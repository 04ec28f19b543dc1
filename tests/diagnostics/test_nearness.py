"""Distance to ID-train (theory 37): against a slow reference, a known truth, and 0 for the same distribution."""

import numpy as np
import pytest

from cfs_explore.diagnostics import ScoreError
from cfs_explore.diagnostics.nearness import distances
from cfs_explore.scoring import Moments

COLUMNS = {"first": slice(0, 4), "second": slice(4, 10)}


def block(rng, n, draws, mean=0.0, spread=1.0, noise=0.5) -> np.ndarray:
    """Snapshots (2 levels, draw, image, 10): an image's own part of variance ``spread``^2, and noise of each draw."""
    own = rng.normal(size=(2, 1, n, 10)) * spread
    return mean + own + noise * rng.normal(size=(2, draws, n, 10))


def slow(found: np.ndarray, reference: np.ndarray, part: slice, level: int) -> float:
    """The same from the snapshots themselves, feature by feature."""
    total = []
    for j in range(part.start, part.stop):
        z, ref = found[level, :, :, j], reference[level, :, :, j]
        chance, spreads = 0.0, []
        for each in (z, ref):
            draws, n = each.shape
            between = each.mean(axis=0).var(ddof=1)  # of an image's mean over its draws
            within = each.var(axis=0, ddof=1).mean() * (draws - 1) / draws if draws > 1 else 0.0
            of_variance = 2 * between**2 / (n - 1) + (2 * within**2 / (n * (draws - 1)) if draws > 1 else 0.0)
            of_spread = of_variance / (4 * (between + within))
            spreads.append((between + within) ** 0.5 + of_spread / (2 * (between + within) ** 0.5))
            chance += between / n + of_spread
        value = (z.mean() - ref.mean()) ** 2 + (spreads[0] - spreads[1]) ** 2 - chance
        total.append(value / ref.var())
    return float(np.mean(total))


@pytest.mark.parametrize("draws", [1, 3])
def test_it_is_the_slow_reference(draws):
    rng = np.random.default_rng(0)
    found, reference = block(rng, 30, draws, 0.4, 1.5), block(rng, 50, draws)
    fast = distances(Moments.of(found), Moments.of(reference), COLUMNS, (30, 50))
    assert fast.shape == (2, 2)
    for level in range(2):
        for tap, part in enumerate(COLUMNS.values()):
            assert fast[level, tap] == pytest.approx(slow(found, reference, part, level), rel=1e-9)


@pytest.mark.parametrize(("mean", "spread"), [(0.0, 1.0), (0.5, 1.0), (0.0, 2.0), (1.0, 0.5)])
@pytest.mark.parametrize("draws", [1, 4])
def test_means_over_samples_are_the_truth(mean, spread, draws):
    """With few images the plain distance is far too large; less chance, it is right on average: 0 for the same law."""
    rng, found = np.random.default_rng(1), []
    for _ in range(200):
        one, ref = block(rng, 20, draws, mean, spread), block(rng, 400, draws)
        found.append(distances(Moments.of(one), Moments.of(ref), COLUMNS, (20, 400)).mean())
    unit = 1 + 0.25
    truth = (mean**2 + (np.sqrt(spread**2 + 0.25) - np.sqrt(unit)) ** 2) / unit
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    assert np.mean(found) == pytest.approx(truth, abs=4 * error + 0.03 * (truth + 0.1))
    plain = 1 / 20 + 1 / 400  # what chance adds to the means alone of independent features with one draw
    assert abs(np.mean(found) - truth) < plain / 3 or truth > 0.3


def test_groups_count_once():
    """Ten images of each group, all alike: chance is that of the groups."""
    rng = np.random.default_rng(2)
    found = []
    for _ in range(150):
        one, ref = np.repeat(block(rng, 12, 1, noise=0.0), 10, axis=2), block(rng, 200, 1, noise=0.0)
        both = Moments.of(one), Moments.of(ref), COLUMNS, (120, 200)
        found.append([distances(*both, (12, 200)).mean(), distances(*both).mean()])
    grouped, alone = np.mean(found, axis=0)
    assert abs(grouped) < 0.03 < 0.06 < alone


def test_one_image_has_no_distance():
    rng = np.random.default_rng(3)
    one, many = Moments.of(block(rng, 1, 2)), Moments.of(block(rng, 9, 2))
    assert np.isnan(distances(one, many, COLUMNS, (1, 9))).all()


def test_sets_that_do_not_fit_are_refused():
    rng = np.random.default_rng(4)
    one, many = Moments.of(block(rng, 8, 2)), Moments.of(block(rng, 9, 2))
    with pytest.raises(ScoreError, match="no whole number of draws of 7 images"):
        distances(one, many, COLUMNS, (7, 9))
    with pytest.raises(ScoreError, match="the same cells"):
        distances(one.at(0), many, COLUMNS, (8, 9))
