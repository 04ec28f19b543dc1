"""The tidy map: one row per cell, each number that of the cell's mean score."""

import numpy as np
import pytest

from cfs_explore.contracts import Level, Tap
from cfs_explore.diagnostics import ScoreError, aupr, auroc, auroc_map, fpr95

LEVELS = [Level(5.0, 4.98, 0.99, 0.08, 21.0), Level(0.0, 0.01, 0.7, 0.7, 300.0)]
TAPS = [
    Tap("conv_in", "input", 0.05, 16, 32),
    Tap("down.0", "encoder", 0.3, 8, 64),
    Tap("up.0", "decoder", 0.9, 16, 32),
]
COLUMNS = [
    *("level", "tap", "tap_index", "region", "depth", "resolution", "lam", "requested"),
    *("auroc", "auroc_lo", "auroc_hi", "draw_sd", "aupr", "aupr_lo", "aupr_hi", "aupr_id"),
    *("fpr95", "fpr95_lo", "fpr95_hi", "n_id", "n_ood", "draws"),
]


def maps(draws=3, seed=0):
    rng = np.random.default_rng(seed)
    shift = np.linspace(0, 1.5, 6).reshape(2, 3)
    return rng.normal(size=(60, draws, 2, 3)), rng.normal(size=(75, draws, 2, 3)) + shift


def test_rows_and_columns():
    table = auroc_map(*maps(), LEVELS, TAPS)
    assert list(table.columns) == COLUMNS
    assert table["level"].tolist() == [0, 0, 0, 1, 1, 1]
    assert table["tap"].tolist() == ["conv_in", "down.0", "up.0"] * 2
    assert table["tap_index"].tolist() == [0, 1, 2] * 2
    assert table["region"].tolist() == ["input", "encoder", "decoder"] * 2
    assert table["depth"].tolist() == [0.05, 0.3, 0.9] * 2
    assert table["resolution"].tolist() == [16, 8, 16] * 2
    assert table["lam"].tolist() == [4.98] * 3 + [0.01] * 3
    assert table["requested"].tolist() == [5.0] * 3 + [0.0] * 3
    assert (table[["n_id", "n_ood", "draws"]] == [60, 75, 3]).all(axis=None)


def test_each_cell_is_judged_as_a_single_score():
    id_scores, ood_scores = maps()
    table = auroc_map(id_scores, ood_scores, LEVELS, TAPS)
    for row in table.itertuples():
        pair = (
            id_scores[:, :, row.level, row.tap_index].mean(1),
            ood_scores[:, :, row.level, row.tap_index].mean(1),
        )
        assert (row.auroc, row.auroc_lo, row.auroc_hi) == pytest.approx(auroc(*pair))
        assert (row.aupr, row.aupr_lo, row.aupr_hi) == pytest.approx(aupr(*pair))
        assert (row.fpr95, row.fpr95_lo, row.fpr95_hi) == pytest.approx(fpr95(*pair))
        assert row.aupr_id == pytest.approx(aupr(*pair, positive="id").value)
        single = [
            auroc(id_scores[:, m, row.level, row.tap_index], ood_scores[:, m, row.level, row.tap_index]).value
            for m in range(3)
        ]
        assert row.draw_sd == pytest.approx(np.std(single, ddof=1))


def test_one_draw_has_no_spread():
    assert auroc_map(*maps(draws=1), LEVELS, TAPS)["draw_sd"].isna().all()


def test_float32_scores_and_perfect_cells():
    id_scores, ood_scores = (scores.astype(np.float32) for scores in maps())
    ood_scores[:, :, 1, 2] += 100
    cell = auroc_map(id_scores, ood_scores, LEVELS, TAPS).iloc[-1]
    assert (cell["auroc"], cell["aupr"], cell["fpr95"]) == (1.0, 1.0, 0.0)
    assert cell["auroc_lo"] < 1
    assert cell["aupr_lo"] < 1
    assert cell["fpr95_hi"] > 0


def test_bad_input():
    id_scores, ood_scores = maps()
    with pytest.raises(ScoreError, match="2 levels and 3 taps"):
        auroc_map(id_scores, ood_scores, LEVELS[:1], TAPS)
    with pytest.raises(ScoreError, match="agree"):
        auroc_map(id_scores, ood_scores[:, :2], LEVELS, TAPS)
    with pytest.raises(ScoreError, match="n_images, draws, levels, taps"):
        auroc_map(id_scores[:, 0], ood_scores, LEVELS, TAPS)
    id_scores[3, 1, 0, 2] = np.nan
    with pytest.raises(ScoreError, match="id_scores must be finite"):
        auroc_map(id_scores, ood_scores, LEVELS, TAPS)
