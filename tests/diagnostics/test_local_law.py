"""The local law, drift and plateau on maps, curves and movements whose truth is known."""

import math

import numpy as np
import pytest

from cfs_explore.contracts import Level, Tap
from cfs_explore.diagnostics import DeLong, ScoreError, delong_covariance
from cfs_explore.diagnostics.drift import CAUSES, drift_table
from cfs_explore.diagnostics.excess import paired_interval
from cfs_explore.diagnostics.groups import Members
from cfs_explore.diagnostics.local_law import local_law
from cfs_explore.diagnostics.plateau import MARGIN, plateau, score_plateau
from cfs_explore.diagnostics.reliability import jackknife_icc

TAPS = [Tap("linear", "encoder", 0.3, 8, 3), Tap("saturating", "decoder", 0.7, 8, 3), Tap("dead", "output", 1, 8, 3)]


def vp_level(lam):
    a2 = 1 / (1 + math.exp(-lam))
    return Level(lam, lam, math.sqrt(a2), math.sqrt(1 - a2), lam)


LEVELS = [vp_level(lam) for lam in (9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0)]


def spread(features):
    """between and within (n, L, T) of features (L, draw, n, T, feature)."""
    of_image = features.mean(axis=1)
    between = ((of_image - of_image.mean(axis=1, keepdims=True)) ** 2).mean(axis=-1)
    within = ((features - of_image[:, None]) ** 2).sum(axis=1).mean(axis=-1)
    return between.transpose(1, 0, 2), within.transpose(1, 0, 2)


@pytest.fixture(scope="module")
def snapshots():
    """Features of x = a x0 + b e: a random linear map of x, the same cut off by tanh near 0, and a constant."""
    rng = np.random.default_rng(0)
    x0, noise = rng.normal(size=(60, 12)) * 8, rng.normal(size=(5, 60, 12))
    matrix = rng.normal(size=(12, 6)) / 4
    z = np.stack([(level.a * x0 + level.b * noise) @ matrix for level in LEVELS])
    # The clean part linear, the noise in it saturating: W grows more slowly than b^2 from about 0.1 on.
    steep = np.stack([level.a * x0 @ matrix + 0.1 * np.tanh(level.b * noise @ matrix / 0.1) for level in LEVELS])
    return np.stack([z, steep, np.ones_like(z)], axis=3)


@pytest.fixture(scope="module")
def table(snapshots):
    return local_law(*spread(snapshots), LEVELS, TAPS, 5, resamples=100)


def test_a_linear_map_obeys_the_law_to_the_end(table):
    linear = table[table["tap"] == "linear"]
    np.testing.assert_allclose(linear["local_slope"][1:], 1, atol=1e-6)
    np.testing.assert_allclose(linear[["slope", "slope_lo", "slope_hi"]], 1, atol=1e-6)
    assert math.isnan(linear["local_slope"].iloc[0])
    assert linear["radius"].unique().tolist() == [pytest.approx(LEVELS[-1].b / LEVELS[-1].a)]
    assert linear["radius_end"].all()


def test_a_saturating_map_leaves_it(table):
    bent = table[table["tap"] == "saturating"].reset_index(drop=True)
    assert bent["local_slope"].iloc[-1] < 0.8
    assert 0 < bent["radius"][0] < LEVELS[-1].b / LEVELS[-1].a
    assert not bent["radius_end"].any()
    # by the definition, row by row
    held = 0.0
    for row in bent.itertuples():
        slope = bent["local_slope"][1] if row.Index == 0 else row.local_slope
        if not (0.8 <= slope <= 1.2 and row.icc >= 0.9):
            break
        held = row.b_over_a
    assert bent["radius"][0] == held
    assert bent["radius_lo"][0] <= held <= bent["radius_hi"][0]


def test_slope_is_least_squares_over_the_cleanest_levels(table):
    for name in ("linear", "saturating"):
        rows = table[(table["tap"] == name) & (table["lam"] >= 5)]
        log_b2 = np.log([level.b**2 for level in LEVELS[: len(rows)]])
        assert rows["slope"].iloc[0] == pytest.approx(np.polyfit(log_b2, np.log(rows["within"]), 1)[0])
        assert rows["slope_lam"].iloc[0] == 5


def test_within_and_icc_are_those_of_the_snapshots(snapshots, table):
    rows = table[table["tap"] == "linear"]
    truth = snapshots[:, :, :, 0].var(axis=1, ddof=1).mean(axis=(1, 2))
    np.testing.assert_allclose(rows["within"], truth)
    assert ((rows["within_lo"] < truth) & (truth < rows["within_hi"])).all()
    between, within = spread(snapshots)
    np.testing.assert_allclose(rows["icc"], jackknife_icc(between, within, 5).icc[:, 0])


def test_low_reliability_alone_ends_the_radius(snapshots):
    rng = np.random.default_rng(1)
    weak = np.stack([level.a * rng.normal(size=(1, 60, 6)) * 0.2 for level in LEVELS])[:, :, :, None]
    noise = rng.normal(size=(5, 60, 6))
    features = weak + np.stack([level.b * noise for level in LEVELS])[:, :, :, None]
    found = local_law(*spread(features), LEVELS, TAPS[:1], 5, resamples=50)
    np.testing.assert_allclose(found["local_slope"][1:], 1, atol=1e-6)
    last = found.loc[found["icc"] >= 0.9, "b_over_a"].max()
    assert found["radius"][0] == last < LEVELS[-1].b / LEVELS[-1].a


def test_a_dead_tap_and_a_single_image_are_missing_not_fatal(snapshots, table):
    dead = table[table["tap"] == "dead"]
    assert dead[["icc", "local_slope", "slope", "slope_lo", "radius", "radius_lo"]].isna().all(axis=None)
    assert (dead["within"] == 0).all()
    one = local_law(*spread(snapshots[:, :, :1]), LEVELS, TAPS, 5, resamples=10)
    linear = one[one["tap"] == "linear"]
    np.testing.assert_allclose(linear["slope"], 1, atol=1e-6)
    assert linear[["icc", "icc_lo", "slope_lo", "within_lo", "radius"]].isna().all(axis=None)


def test_a_single_level_has_no_slope(snapshots):
    table = local_law(*spread(snapshots[:1]), LEVELS[:1], TAPS, 5, resamples=10)
    assert table[["slope", "local_slope", "slope_hi"]].isna().all(axis=None)
    assert len(table) == 3


def test_resamples_give_the_sampling_spread_of_the_slope():
    """The bootstrap's interval has the width that repeated samples have."""
    rng = np.random.default_rng(2)

    def sample():
        gain = rng.gamma(4, size=(60, 1, 1))  # of each image
        bend = np.exp(rng.normal(0, 0.3, size=(60, 1, 1)) * np.arange(8)[None, :, None])
        return np.full((60, 8, 1), 9.0), gain * bend * np.array([level.b**2 for level in LEVELS])[None, :, None] * 4

    slopes = [local_law(*sample(), LEVELS, TAPS[:1], 5, resamples=1)["slope"][0] for _ in range(150)]
    shown = [local_law(*sample(), LEVELS, TAPS[:1], 5, resamples=200).iloc[0] for _ in range(12)]
    width = np.mean([row["slope_hi"] - row["slope_lo"] for row in shown])
    assert width == pytest.approx(2 * 1.96 * np.std(slopes), rel=0.25)


def test_unusable_spreads_are_refused(snapshots):
    between, within = spread(snapshots)
    for arguments in ((between, within[:5]), (between[..., :2], within), (between * np.nan, within)):
        with pytest.raises(ScoreError):
            local_law(*arguments, LEVELS, TAPS, 5)
    with pytest.raises(ScoreError, match="two draws"):
        local_law(between, within, LEVELS, TAPS, 1)


def drift(squares, own=None, groups=None):
    return drift_table(squares, squares if own is None else own, LEVELS[:2], TAPS[:2], groups=groups)


def test_nothing_that_changes_does_not_drift():
    table = drift(np.zeros((6, 3, 2, 2)))
    assert (table[["drift", "lo", "hi", "own", "own_lo", "own_hi"]] == 0).all(axis=None)
    assert len(table) == 12


def test_drift_is_the_mean_over_images_in_its_own_row():
    squares = np.random.default_rng(3).gamma(2, size=(40, 3, 2, 2))
    table = drift(squares, squares / 2)
    for row in table.itertuples():
        values = squares[:, CAUSES.index(row.cause), row.level, row.tap_index]
        assert row.drift == pytest.approx(values.mean())
        assert row.own == pytest.approx(values.mean() / 2 * 40 / 39)
        assert row.lo < row.drift < row.hi
        assert (row.tap, row.lam) == (TAPS[row.tap_index].name, LEVELS[row.level].lam)


def test_drift_interval_covers():
    rng = np.random.default_rng(4)
    tables = [drift(rng.gamma(2, size=(80, 3, 2, 2))) for _ in range(60)]
    assert 0.92 < np.mean([((t["lo"] <= 2) & (t["hi"] >= 2)).mean() for t in tables]) < 0.98


def test_drift_of_one_image_has_no_interval():
    table = drift(np.ones((1, 3, 2, 2)))
    assert (table["drift"] == 1).all()
    assert table[["lo", "hi", "own", "own_lo"]].isna().all(axis=None)
    with pytest.raises(ScoreError):
        drift(np.ones((4, 2, 2, 2)))


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ([0.6, 0.8, 0.9, 0.895, 0.7], (2, 2, 3)),
        ([0.9, 0.9, 0.9], (0, 0, 2)),
        ([0.9, 0.5, 0.9], (0, 0, 0)),  # an equal maximum elsewhere is not the same stretch
        ([0.5, 0.6, 0.89, 0.9], (3, 2, 3)),
        ([0.4], (0, 0, 0)),
    ],
)
def test_plateau_of_known_curves(curve, expected):
    assert plateau(np.array(curve))[:3] == expected


def test_plateau_margin_counts_its_end_and_can_be_changed():
    curve = np.array([0.80, 0.89, 0.90, 0.85])
    assert plateau(curve)[:3] == (2, 1, 2)
    assert plateau(curve, margin=0.05)[:3] == (2, 1, 3)
    for bad in ([], [0.5, np.nan]):
        with pytest.raises(ScoreError):
            plateau(np.array(bad))
    with pytest.raises(ScoreError, match="limits must have shape"):
        plateau(curve, np.zeros(3))


def test_plateau_reaches_further_where_the_difference_is_uncertain():
    curve = np.array([0.7, 0.87, 0.9, 0.88])
    below = 0.9 - curve
    assert plateau(curve, below - 1e-4)[1:] == (2, 2, 2, 2)
    assert plateau(curve, below - 0.03)[1:] == (2, 2, 1, 3)
    assert plateau(curve, below + 1.0)[1:] == (2, 2, 2, 2)  # the levels that belong to it are among the possible ones


def test_plateau_of_scores_uses_their_auroc_and_paired_score_intervals():
    rng = np.random.default_rng(5)
    id_rows, ood_rows = rng.normal(size=(4, 50)), rng.normal(size=(4, 30)) + np.array([[0], [2], [2], [0.5]])
    auroc, covariance = delong_covariance(id_rows, ood_rows)
    var, peak = np.diag(covariance), int(auroc.argmax())
    sides = DeLong(np.full(4, auroc[peak]), np.full(4, var[peak])), DeLong(auroc, var)
    least, _, _ = paired_interval(*sides, var + var[peak] - 2 * covariance[peak], 50, 30)
    assert score_plateau(id_rows, ood_rows) == plateau(auroc, least)
    single = score_plateau(id_rows, ood_rows[:, :1])
    auroc = [np.mean(i < o[0]) for i, o in zip(id_rows, ood_rows, strict=True)]
    assert single.peak == int(np.argmax(auroc))
    assert single.possible_start is None


def test_levels_that_err_alike_differ_with_certainty():
    rng = np.random.default_rng(0)
    id_row, ood_row = rng.normal(size=400), rng.normal(size=400) + 1
    worse = ood_row - 0.1
    found = score_plateau(np.stack([id_row] * 3), np.stack([worse, ood_row, ood_row]))
    assert found == (1, 1, 2, 1, 2)
    apart = score_plateau(np.stack([rng.permutation(id_row), id_row]), np.stack([rng.permutation(worse), ood_row]))
    assert apart == (1, 1, 1, 0, 1)


def test_what_few_images_tell_near_one_is_not_certain():
    """The case of a seed in which Wald's interval would rule out a level that the score interval leaves possible."""
    rng = np.random.default_rng(190)
    id_row, ood_row = rng.normal(size=200), rng.normal(size=20)
    id_rows = np.stack([id_row, id_row])
    ood_rows = np.stack([ood_row + 2.2, ood_row + 2 + 0.05 * rng.normal(size=20)])
    auroc, covariance = delong_covariance(id_rows, ood_rows)
    wald = auroc[0] - auroc[1] - 1.96 * np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert auroc[0] > 0.91 and wald > MARGIN
    assert score_plateau(id_rows, ood_rows) == (0, 0, 0, 0, 1)


def test_groups_are_drawn_whole_and_left_out_whole(snapshots):
    """Every image twice: with groups the intervals are those of the images once, near enough; without, narrower."""
    between, within = spread(snapshots)
    twice = [np.repeat(part, 2, axis=0) for part in (between, within)]
    pairs, given = Members(np.repeat(np.arange(60), 2)), (LEVELS, TAPS, 5)
    once, grouped, ungrouped = (
        local_law(*parts, *given, groups=groups)
        for parts, groups in (((between, within), None), (twice, pairs), (twice, None))
    )
    for name in ("within", "icc", "local_slope", "slope"):
        rows = [frame[frame["tap"] == "saturating"].iloc[-1] for frame in (once, grouped, ungrouped)]
        width = [row[f"{name}_hi"] - row[f"{name}_lo"] for row in rows]
        assert width[1] == pytest.approx(width[0], rel=0.25) and width[2] < 0.85 * width[1]


def test_drift_of_images_in_groups():
    rng = np.random.default_rng(3)
    squares = rng.gamma(2, size=(12, 3, 2, 2))
    once, grouped = drift(squares), drift(np.repeat(squares, 3, axis=0), groups=Members(np.repeat(np.arange(12), 3)))
    np.testing.assert_allclose(grouped[["drift", "lo", "hi"]], once[["drift", "lo", "hi"]])
    alone = drift(squares, groups=Members(np.arange(12)))
    np.testing.assert_allclose(alone[["lo", "hi", "own_lo"]], once[["lo", "hi", "own_lo"]])
    assert drift(squares, groups=Members(np.zeros(12)))["lo"].isna().all()
