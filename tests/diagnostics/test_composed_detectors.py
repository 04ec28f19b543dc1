"""Detectors made of cells: their scores are plain means, and their cost counts early stops."""

import numpy as np
import pytest

from cfs_explore.contracts import Cell, Tap
from cfs_explore.diagnostics import (
    ScoreError,
    aupr,
    auroc,
    compose,
    detector_summary,
    effective_forwards,
    fpr95,
)

TAPS = [Tap("a", "encoder", 0.25, 8, 4), Tap("b", "middle", 0.5, 4, 8), Tap("c", "decoder", 0.875, 8, 4)]


@pytest.fixture
def scores():
    rng = np.random.default_rng(0)
    return rng.chisquare(5, size=(50, 4, 2, 3)).astype(np.float32), rng.chisquare(7, size=(60, 4, 2, 3))


def test_compose_is_the_mean(scores):
    id_scores, _ = scores
    cells = [Cell(0, 2), Cell(1, 0)]
    expected = (id_scores[:, :, 0, 2].mean(1, dtype=float) + id_scores[:, :, 1, 0].mean(1, dtype=float)) / 2
    got = compose(id_scores, cells)
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    np.testing.assert_allclose(compose(id_scores, cells[::-1]), got, rtol=1e-12)


def test_compose_ignores_what_is_not_chosen(scores):
    id_scores, _ = scores
    id_scores[:, :, 1, 1] = np.nan
    assert np.isfinite(compose(id_scores, [Cell(0, 0)])).all()
    with pytest.raises(ScoreError, match="chosen cells"):
        compose(id_scores, [Cell(1, 1)])


def test_cost():
    assert effective_forwards([Cell(0, 0), Cell(0, 2), Cell(1, 1)], TAPS, draws=3) == pytest.approx(3 * (0.875 + 0.5))


def test_summary(scores):
    cells = [Cell(0, 0), Cell(0, 1), Cell(1, 0)]
    row = detector_summary(*scores, cells, taps=TAPS)
    pair = compose(scores[0], cells), compose(scores[1], cells)
    assert (row["auroc"], row["lo"], row["hi"]) == auroc(*pair)
    assert (row["aupr"], row["aupr_lo"], row["aupr_hi"]) == aupr(*pair)
    assert (row["fpr95"], row["fpr95_lo"], row["fpr95_hi"]) == fpr95(*pair)
    assert (row["n_id"], row["n_ood"], row["cells"], row["levels"], row["draws"]) == (50, 60, 3, 2, 4)
    assert row["forwards"] == 8
    assert row["effective"] == pytest.approx(4 * (0.5 + 0.25))


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([], "at least one cell"),
        ([Cell(0, 0)] * 2, "twice"),
        ([Cell(2, 0)], "inside"),
        ([Cell(0, -1)], "inside"),
    ],
)
def test_bad_cells(scores, cells, message):
    with pytest.raises(ScoreError, match=message):
        compose(scores[0], cells)


def test_bad_shapes(scores):
    with pytest.raises(ScoreError, match="n_images, draws, levels, taps"):
        compose(scores[0][0], [Cell(0, 0)])
    with pytest.raises(ScoreError, match="3 taps"):
        detector_summary(*scores, [Cell(0, 0)], taps=TAPS[:2])
