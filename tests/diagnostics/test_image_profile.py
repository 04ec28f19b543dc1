"""One image among ID-test: loops over the definitions, the left-out row, and the bundle's own snapshots."""

import numpy as np
import pytest

from cfs_explore.contracts import VARIANCE_FLOOR, Cell, Level, Tap
from cfs_explore.diagnostics import (
    ScoreError,
    cell_profile,
    compose,
    detector_profile,
    exceedance,
    feature_profile,
)
from cfs_explore.locations import BUNDLES
from cfs_explore.scoring import feature_columns
from cfs_explore.store import open_run

LEVELS = [Level(lam, lam + 0.01, 0.9, 0.1, 3.0) for lam in (5.0, -1.0)]
TAPS = [Tap("conv_in", "input", 0.1, 8, 4), Tap("mid", "middle", 0.5, 4, 8), Tap("out", "output", 1.0, 8, 4)]


@pytest.fixture
def scores():
    """ID-test (30 images, 3 draws, 2 levels, 3 taps); an image that ties in one cell and is high in two."""
    rng = np.random.default_rng(0)
    id_scores = rng.integers(1, 40, size=(30, 3, 2, 3)).astype(np.float32)
    image = rng.integers(1, 40, size=(3, 2, 3)).astype(np.float32)
    image[:, 0, 0] = id_scores[4, :, 0, 0]
    image[:, 0, 1] += 40
    image[:, 1, 2] += 40
    return id_scores, image


def test_every_cell_of_an_ood_image(scores):
    id_scores, image = scores
    table = cell_profile(id_scores, image, LEVELS, TAPS)
    assert len(table) == 6 and (table["n_id"] == 30).all()
    for row in table.itertuples():
        reference = [float(np.mean(id_scores[i, :, row.level, row.tap_index], dtype=float)) for i in range(30)]
        mine = image[:, row.level, row.tap_index].astype(float)
        assert row.score == pytest.approx(mine.mean())
        assert row.id_median == pytest.approx(np.median(reference))
        assert row.ratio == pytest.approx(mine.mean() / np.median(reference))
        assert (row.draw_min, row.draw_max) == (mine.min(), mine.max())
        assert row.draw_sd == pytest.approx(np.std(mine, ddof=1))
        below = sum(r < row.score for r in reference) + sum(r == row.score for r in reference) / 2
        assert row.percentile == pytest.approx(100 * below / 30)
        assert (row.tap, row.lam) == (TAPS[row.tap_index].name, LEVELS[row.level].lam)


def test_an_id_image_is_compared_with_the_others(scores):
    id_scores, _ = scores
    own = int(id_scores.mean(axis=(1, 2, 3)).argmax())
    inside = cell_profile(id_scores, id_scores[own], LEVELS, TAPS, own)
    outside = cell_profile(np.delete(id_scores, own, axis=0), id_scores[own], LEVELS, TAPS)
    assert inside.equals(outside) and (inside["n_id"] == 29).all()
    composed, draws = compose(id_scores, [Cell(0, 1), Cell(1, 1)]), np.arange(3.0)
    assert detector_profile(composed, composed[own], draws, own) == detector_profile(
        np.delete(composed, own), composed[own], draws
    )


@pytest.mark.parametrize("own", [-1, 3])
def test_a_row_that_id_test_does_not_have(own):
    with pytest.raises(ScoreError, match="0 to 2"):
        detector_profile(np.arange(3.0), 1.0, np.ones(2), own)


def test_a_detector(scores):
    id_scores, image = scores
    cells = [Cell(0, 1), Cell(1, 2)]
    reference, by_draw = compose(id_scores, cells), (image[:, 0, 1] + image[:, 1, 2]) / 2
    row = detector_profile(reference, by_draw.mean(), by_draw)
    assert row["draws"] == pytest.approx(by_draw.tolist()) and row["score"] == pytest.approx(by_draw.mean())
    assert row["p_value"] == pytest.approx(1 / 31) and row["percentile"] == 100 and row["n_id"] == 30
    assert row["id_median"] == pytest.approx(np.median(reference))
    assert row["id_q95"] == pytest.approx(np.quantile(reference, 0.95))


def test_one_draw_has_no_spread_and_a_zero_median_no_ratio(scores):
    id_scores, image = scores
    id_scores = id_scores[:, :1].copy()
    id_scores[:, :, 0, 0] = 0
    table = cell_profile(id_scores, image[:1], LEVELS, TAPS)
    assert table["draw_sd"].isna().all()
    assert np.isnan(table["ratio"].iloc[0]) and table["ratio"].iloc[1:].notna().all()


def test_exceedance_counts_cells_and_ranks_the_count():
    """39 ID images and one more: the top 5 % of 40 are two, so that 'high' means first or second."""
    rng = np.random.default_rng(1)
    id_scores = rng.permuted(np.tile(np.arange(39.0), (12, 1)), axis=1).T.reshape(39, 1, 3, 4)
    image = np.full((1, 3, 4), -1.0)
    image[0, 0, :3] = 38.5  # first there
    image[0, 1, 0] = 37.5  # second there
    image[0, 2, 0] = 36.5  # third: not high
    found = exceedance(id_scores, image, share=0.95)
    assert (found.count, found.cells) == (4, 12)
    counts = []
    for i in range(39):
        above = [
            (id_scores[:, 0, k, t] > id_scores[i, 0, k, t]).sum() + (image[0, k, t] > id_scores[i, 0, k, t])
            for k in range(3)
            for t in range(4)
        ]
        counts.append(sum(a < 2 for a in above))
    assert found.p_value == pytest.approx((1 + sum(c >= 4 for c in counts)) / 40)


def test_exceedance_of_id_images_has_uniform_p_values_on_average():
    """Each ID image against the others: the p-values' ranks are the images', so few are small."""
    run = open_run(BUNDLES / "digits")
    id_scores = run.scores("id_test")[:120]
    p = np.array([exceedance(id_scores, id_scores[i], i).p_value for i in range(120)])
    for alpha in (0.05, 0.1, 0.3):
        assert (p <= alpha).mean() <= alpha + 1e-12


def test_exceedance_finds_the_images_that_are_noisy():
    """Bundle: more noise raises few cells, and those far; fewer ID images are flagged than the rate says."""
    run = open_run(BUNDLES / "digits")
    id_scores, noisy = run.scores("id_test"), run.scores("ood", "noisy")
    assert np.mean([exceedance(id_scores, noisy[i]).p_value <= 0.05 for i in range(25)]) > 0.9
    assert np.mean([exceedance(id_scores, id_scores[i], i).p_value <= 0.05 for i in range(40)]) < 0.2


def test_features_sum_to_the_stored_slot_score():
    """Bundle, kept cells, first draw: the mean of z^2 is the score that the run has, up to float16."""
    run = open_run(BUNDLES / "digits")
    level, train = run.manifest.kept["level"], run.moments("id_train")
    names = [tap.name for tap in run.taps]
    for tap in run.manifest.kept["taps"]:
        columns = feature_columns(run.taps)[tap]
        mean = train.mean[level, columns]
        variance = np.maximum(train.m2[level, columns] / train.count, VARIANCE_FLOOR)
        stored = run.scores("ood", "letters")[:, 0, level, names.index(tap)]
        for i, snapshot in enumerate(run.snapshots(tap, "ood", "letters")[:20]):
            table = feature_profile(snapshot, mean, variance)
            assert table["square"].mean() == pytest.approx(stored[i], rel=0.02)
            assert table["share"].sum() == pytest.approx(1)


def test_features_of_a_hand_made_snapshot():
    table = feature_profile([1.0, 2.0, 3.0, 10.0], [0.0, 2.0, 4.0, 4.0], [1.0, 1.0, 4.0, 9.0])
    assert table["channel"].tolist() == [0, 1, 0, 1] and table["pooling"].tolist() == ["mean", "mean", "std", "std"]
    assert table["z"].tolist() == [1.0, 0.0, -0.5, 2.0] and table["square"].tolist() == [1.0, 0.0, 0.25, 4.0]
    assert table["share"].tolist() == pytest.approx([1 / 5.25, 0, 0.25 / 5.25, 4 / 5.25])


def test_bad_input_is_named(scores):
    id_scores, image = scores
    with pytest.raises(ScoreError, match="own must be a row"):
        cell_profile(id_scores, image, LEVELS, TAPS, own=30)
    with pytest.raises(ScoreError, match="at least two"):
        cell_profile(id_scores[:1], image, LEVELS, TAPS, own=0)
    with pytest.raises(ScoreError, match="levels and taps"):
        cell_profile(id_scores, image, LEVELS, TAPS[:2])
    with pytest.raises(ScoreError, match="agree in draws"):
        cell_profile(id_scores, image[:2], LEVELS, TAPS)
    with pytest.raises(ScoreError, match=r"shape \(2C,\)"):
        feature_profile([1.0, 2.0, 3.0], [0.0] * 3, [1.0] * 3)
    with pytest.raises(ScoreError, match="variance must be positive"):
        feature_profile([1.0, 2.0], [0.0, 0.0], [1.0, 0.0])
    with pytest.raises(ScoreError, match="snapshot must be finite"):
        feature_profile([1.0, np.nan], [0.0, 0.0], [1.0, 1.0])
