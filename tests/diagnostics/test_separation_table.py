"""The decomposition of Delta is exact on any data, and each cell's numbers are what they claim to be."""

import dataclasses

import numpy as np
import pytest

from cfs_explore.contracts import VARIANCE_FLOOR, Level, Tap
from cfs_explore.diagnostics import ScoreError, channel_contributions, separation_table
from cfs_explore.diagnostics.separation import effective_dimension
from cfs_explore.scoring import Moments, feature_columns, pair_squares, slot_scores

TAPS = [Tap("a", "encoder", 0.3, 8, 3), Tap("b", "decoder", 0.8, 8, 5)]
LEVELS = [Level(lam, lam, 0.9, 0.4, 0.0) for lam in (5.0, -1.0)]
COLUMNS = feature_columns(TAPS)
WIDTH = 16


def heavy_tailed(rng, n, draws=3, shift=0.0, scale=1.0, levels=2) -> np.ndarray:
    """float64 (level, draw, image, feature): Student t with 3 degrees of freedom, correlated, one share per image."""
    mixing = np.random.default_rng(99).normal(size=(WIDTH, WIDTH))
    shared = rng.standard_t(3, size=(levels, 1, n, WIDTH))
    noise = rng.standard_t(3, size=(levels, draws, n, WIDTH))
    return shift + scale * ((shared + 0.3 * noise) @ mixing) + np.arange(WIDTH)


def float64_scores(block, train: Moments) -> np.ndarray:
    """Slot scores (image, draw, level, tap) in float64: (3) as it is written."""
    v = np.maximum(train.m2 / train.count, VARIANCE_FLOOR)
    scores = np.empty((block.shape[2], block.shape[1], len(block), len(TAPS)))
    for k, m, i in np.ndindex(block.shape[:3]):
        for t, c in enumerate(COLUMNS.values()):
            scores[i, m, k, t] = np.mean((block[k, m, i, c] - train.mean[k, c]) ** 2 / v[k, c])
    return scores


def table_of(train, id_test, ood, **options):
    reference = Moments.of(train)
    scores = [float64_scores(block, reference) for block in (id_test, ood)]
    moments = (reference, Moments.of(id_test), Moments.of(ood))
    return separation_table(moments, scores, LEVELS, TAPS, **options), scores


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (0.5, 1.7), (-30.0, 0.1), (1e4, 1.0)])
def test_the_parts_sum_to_delta_exactly_on_any_data(shift, scale):
    rng = np.random.default_rng(1)
    blocks = heavy_tailed(rng, 40), heavy_tailed(rng, 23), heavy_tailed(rng, 17, shift=shift, scale=scale)
    table, scores = table_of(*blocks)
    measured = (scores[1].mean(axis=(0, 1)) - scores[0].mean(axis=(0, 1))).ravel()
    np.testing.assert_allclose(table["delta"], measured, rtol=1e-6)
    np.testing.assert_allclose(table["mean_shift"] + table["variance_change"], table["delta"], rtol=1e-12)


def test_the_parts_tell_a_shift_from_a_spread():
    rng = np.random.default_rng(2)
    train, id_test = heavy_tailed(rng, 50), heavy_tailed(rng, 30)
    shifted, _ = table_of(train, id_test, id_test + 4.0)
    np.testing.assert_allclose(shifted["variance_change"], 0, atol=1e-12)
    assert (shifted["mean_shift"] > 0).all()
    centre = id_test.mean(axis=(1, 2), keepdims=True)
    spread, _ = table_of(train, id_test, centre + 2 * (id_test - centre))
    np.testing.assert_allclose(spread["mean_shift"], 0, atol=1e-12)
    assert (spread["variance_change"] > 0).all()


def test_contributions_sum_to_delta_and_name_the_channel():
    rng = np.random.default_rng(3)
    train, id_test, ood = (heavy_tailed(rng, n) for n in (50, 30, 20))
    ood[..., COLUMNS["b"].start + 2] += 40
    parts = channel_contributions(*map(Moments.of, (train, id_test, ood)), COLUMNS)
    table, _ = table_of(train, id_test, ood)
    sums = [parts.total[k, c].sum() for k in range(2) for c in COLUMNS.values()]
    np.testing.assert_allclose(sums, table["delta"], rtol=1e-12)
    assert parts.mean_shift[:, COLUMNS["b"]].argmax(axis=1).tolist() == [2, 2]


def test_every_cell_is_in_its_row():
    rng = np.random.default_rng(4)
    table, scores = table_of(heavy_tailed(rng, 40), heavy_tailed(rng, 25), heavy_tailed(rng, 15, shift=1.0))
    assert table[["level", "tap"]].to_numpy().tolist() == [[0, "a"], [0, "b"], [1, "a"], [1, "b"]]
    for row in table.to_dict("records"):
        id_scores, ood_scores = (s[:, :, row["level"], row["tap_index"]].mean(axis=1) for s in scores)
        assert row["auroc"] == pytest.approx((ood_scores[:, None] > id_scores).mean())
        assert row["var_id"] == pytest.approx(id_scores.var(ddof=1))
        assert row["var_ood"] == pytest.approx(ood_scores.var(ddof=1))
        assert (row["n_id"], row["n_ood"], row["draws"], row["d"]) == (25, 15, 3, [6, 10][row["tap_index"]])
        assert row["lo"] <= row["auroc"] <= row["hi"]
    assert table["d_eff"].isna().all()  # no pair sums were given


def gaussian_block(rng, n, correlation, draws=1) -> np.ndarray:
    z = rng.multivariate_normal(np.zeros(len(correlation)), correlation, size=(1, draws, n))
    return z.astype(np.float32)


def test_the_pair_estimate_is_unbiased_and_gives_the_effective_dimension():
    """1500 small samples of a known R: their mean is |R|_F^2 within its own standard error."""
    rng = np.random.default_rng(5)
    factor = rng.normal(size=(12, 3))
    covariance = factor @ factor.T + np.eye(12)
    scale = np.sqrt(covariance.diagonal())
    correlation = covariance / np.outer(scale, scale)
    truth = np.square(correlation).sum()
    reference = Moments(1, np.zeros((1, 12)), np.ones((1, 12)), np.zeros((1, 12)))
    columns = {"x": slice(0, 12)}
    estimates = []
    for _ in range(1500):
        sums, pairs = pair_squares(gaussian_block(rng, 8, correlation), reference, columns)
        estimates.append(sums[0, 0] / pairs)
    error = np.std(estimates, ddof=1) / np.sqrt(1500)
    assert error < 0.03 * truth
    assert abs(np.mean(estimates) - truth) < 4 * error

    block = gaussian_block(rng, 4000, correlation)
    d_eff, expected = effective_dimension(*pair_squares(block, reference, columns), np.array([12.0]), np.array([12]))
    assert d_eff[0, 0] == pytest.approx(144 / truth, rel=0.05)
    assert expected[0, 0] == pytest.approx(2 * truth / 144, rel=0.05)
    measured = slot_scores(block, reference, columns).var()
    assert measured == pytest.approx(2 * truth / 144, rel=0.1)  # (11) itself


def test_measured_variance_against_the_gaussian_one():
    """Gaussian features give a ratio of 1, heavy tails more; the interval of the Gaussian one covers 1."""
    rng = np.random.default_rng(6)
    taps, levels, columns = [Tap("x", "decoder", 0.5, 8, 4)], LEVELS[:1], {"x": slice(0, 8)}
    correlation = 0.6 * np.eye(8) + 0.4
    rows = {}
    for name in ("gaussian", "heavy"):
        train, test, ood = (gaussian_block(rng, n, correlation) for n in (4000, 4000, 300))
        if name == "heavy":  # one common factor per image: a multivariate t with 10 degrees of freedom
            train, test = (z / np.sqrt(rng.chisquare(10, size=(1, 1, z.shape[2], 1)) / 8) for z in (train, test))
        reference = Moments.of(train)
        scores = slot_scores(test, reference, columns), slot_scores(ood, reference, columns)
        moments = tuple(Moments.of(z) for z in (train, test, ood))
        table = separation_table(moments, scores, levels, taps, pair_squares(test, reference, columns))
        rows[name] = table.iloc[0]
    assert rows["gaussian"].var_ratio_lo < 1 < rows["gaussian"].var_ratio_hi
    assert rows["gaussian"].var_ratio == pytest.approx(1, rel=0.15)
    assert rows["heavy"].var_ratio_lo > 1.1
    assert rows["gaussian"].d_eff == pytest.approx(64 / np.square(correlation).sum(), rel=0.1)


def test_dead_features_count_neither_as_signal_nor_as_dimensions():
    """Half of the features never move: d_eff is that of the live half, and (11) still gives the score's variance."""
    rng = np.random.default_rng(7)
    block = np.concatenate([rng.normal(size=(1, 1, 3000, 6)), np.full((1, 1, 3000, 6), 0.25)], axis=3)
    block = block.astype(np.float32)
    reference, columns = Moments.of(block), {"x": slice(0, 12)}
    scores = slot_scores(block, reference, columns)
    moments = (Moments.of(block),) * 3
    taps = [Tap("x", "middle", 0.5, 8, 6)]
    row = separation_table(moments, (scores, scores), LEVELS[:1], taps, pair_squares(block, reference, columns)).iloc[0]
    assert row.d_eff == pytest.approx(6, rel=0.05)
    assert row.var_gauss == pytest.approx(2 * 6 / 144, rel=0.05)
    assert row.var_ratio == pytest.approx(1, rel=0.1)
    assert np.isnan(row.participation_ratio) and row.delta == 0 and np.isnan(row.bound)


def test_no_live_feature_and_no_pairs_have_no_dimension():
    d_eff, expected = effective_dimension(np.array([-3.0, 5.0, 0.0]), 4, np.array([6.0, 0.0, 6.0]), np.full(3, 6))
    assert np.isnan(d_eff).all()
    assert np.isnan(expected).tolist() == [True, False, True]
    assert np.isnan(effective_dimension(np.array([5.0]), 0, np.array([6.0]), np.array([6]))).all()
    assert effective_dimension(np.array([1e9, 1e-9]), 1, np.full(2, 6.0), np.full(2, 6))[0].tolist() == [1, 6]


def test_intervals_cover_and_the_mean_shift_one_holds_under_full_correlation():
    """Features that all move as one are the worst case of the conservative interval; Delta's is the usual one."""
    taps, levels = [Tap("x", "decoder", 0.5, 8, 3)], LEVELS[:1]
    rng = np.random.default_rng(8)
    reference = Moments(1, np.zeros((1, 6)), np.ones((1, 6)), np.zeros((1, 6)))
    columns, hits = {"x": slice(0, 6)}, np.zeros(2)
    for _ in range(200):
        id_z, ood_z = (
            np.repeat(rng.normal(shift, scale, size=(1, 1, n, 1)), 6, axis=3).astype(np.float32)
            for shift, scale, n in ((0, 1, 80), (0.8, 1.3, 60))
        )
        scores = tuple(slot_scores(z, reference, columns) for z in (id_z, ood_z))
        row = separation_table((reference, Moments.of(id_z), Moments.of(ood_z)), scores, levels, taps).iloc[0]
        hits += [row.mean_shift_lo <= 0.64 <= row.mean_shift_hi, row.delta_lo <= 1.33 <= row.delta_hi]
    assert hits[0] / 200 >= 0.93
    assert 0.88 <= hits[1] / 200 <= 0.99


def test_one_image_has_numbers_without_intervals():
    rng = np.random.default_rng(9)
    table, _ = table_of(heavy_tailed(rng, 40), heavy_tailed(rng, 25), heavy_tailed(rng, 1, shift=3.0))
    assert table[["delta", "mean_shift", "variance_change", "auroc", "lo", "hi", "var_id"]].notna().all().all()
    unknown = ["delta_lo", "mean_shift_hi", "variance_change_lo", "var_ood", "predicted", "bound"]
    assert table[unknown].isna().all().all()


def test_identical_scores_say_nothing_and_do_not_fail():
    block = np.full((2, 3, 10, WIDTH), 0.5)
    table, _ = table_of(block, block, block[:, :, :4])
    assert (table["auroc"] == 0.5).all() and (table["delta"] == 0).all() and (table["predicted"] == 0.5).all()
    assert table[["delta_lo", "bound", "participation_ratio"]].isna().all().all()


def test_arguments_that_do_not_fit():
    rng = np.random.default_rng(10)
    block = heavy_tailed(rng, 10)
    reference = Moments.of(block)
    scores = float64_scores(block, reference)
    with pytest.raises(ScoreError, match="1 levels"):
        separation_table((reference,) * 3, (scores, scores), LEVELS[:1], TAPS)
    with pytest.raises(ScoreError, match="one shape"):
        channel_contributions(reference, Moments.of(block[:1]), reference, COLUMNS)
    with pytest.raises(ScoreError, match="one slice per tap"):
        channel_contributions(reference, reference, reference, {"a": slice(0, 6)})
    with pytest.raises(ScoreError, match="pair_squares"):
        separation_table((reference,) * 3, (scores, scores), LEVELS, TAPS, (np.ones((1, 2)), 3))
    with pytest.raises(ScoreError, match="finite"):
        channel_contributions(
            reference, reference, dataclasses.replace(reference, mean=reference.mean * np.nan), COLUMNS
        )
