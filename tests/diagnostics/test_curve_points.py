"""ROC points and histogram bins for plotting."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.metrics import roc_curve as sklearn_roc_curve

from cfs_explore.diagnostics import ScoreError, histogram, roc_curve


def samples(n_id, n_ood, decimals=None, seed=0):
    rng = np.random.default_rng(seed)
    pair = np.exp(rng.normal(size=n_id)), np.exp(rng.normal(1.0, 1.3, size=n_ood))
    return pair if decimals is None else tuple(scores.round(decimals) for scores in pair)


@pytest.mark.parametrize("decimals", [None, 1, 0])
def test_small_roc_is_exact(decimals):
    """Its points are points of the full curve, and only points on straight stretches are left out."""
    pair = samples(40, 50, decimals)
    labels, scores = np.repeat([0, 1], [40, 50]), np.concatenate(pair)
    full = np.column_stack(sklearn_roc_curve(labels, scores, drop_intermediate=False))
    got = roc_curve(*pair)
    kept = np.isin(full[:, 2], got["threshold"])
    np.testing.assert_allclose(got, full[kept], atol=1e-12)
    assert len(got) < len(full)
    assert np.trapezoid(got["tpr"], got["fpr"]) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


def test_thinned_roc():
    pair = samples(20_000, 30_000)
    got = roc_curve(*pair)
    assert 200 < len(got) <= 400
    assert got.iloc[0].tolist() == [0.0, 0.0, np.inf]
    assert got.iloc[-1, :2].tolist() == [1.0, 1.0]
    assert got["fpr"].is_monotonic_increasing
    assert got["tpr"].is_monotonic_increasing
    assert got["threshold"].is_monotonic_decreasing
    for row in got.iloc[1::60].itertuples():
        assert row.fpr == pytest.approx((pair[0] >= row.threshold).mean())
        assert row.tpr == pytest.approx((pair[1] >= row.threshold).mean())
    exact = roc_auc_score(np.repeat([0, 1], [20_000, 30_000]), np.concatenate(pair))
    assert np.trapezoid(got["tpr"], got["fpr"]) == pytest.approx(exact, abs=1e-4)
    assert len(roc_curve(*pair, max_points=2)) == 2


@pytest.mark.parametrize("log", [False, True])
def test_histogram_keeps_every_image(log):
    id_scores, ood_scores = samples(500, 300)
    ood_scores[0] = 1e9
    table = histogram(id_scores, ood_scores, bins=30, log=log)
    assert list(table.columns) == ["left", "right", "id", "ood", "id_count", "ood_count"]
    assert len(table) == 30
    assert (table["id_count"].sum(), table["ood_count"].sum()) == (500, 300)
    assert table["id"].sum() == pytest.approx(1)
    np.testing.assert_array_equal(table["right"][:-1], table["left"][1:])
    assert table["right"].iloc[-1] < 1000
    inner = table.iloc[10]
    assert inner["id_count"] == ((id_scores >= inner["left"]) & (id_scores < inner["right"])).sum()
    steps = np.diff(np.log(table["left"])) if log else np.diff(table["left"])
    np.testing.assert_allclose(steps, steps[0], rtol=1e-6)


def test_histogram_of_one_value():
    table = histogram(np.full(5, 2.0), np.full(3, 2.0), bins=4)
    assert table["id_count"].sum() == 5
    assert (table["right"] > table["left"]).all()


def test_bad_input():
    with pytest.raises(ScoreError, match="positive scores"):
        histogram([0.0, 1.0], [2.0], log=True)
    with pytest.raises(ScoreError, match="bins"):
        histogram([1.0], [2.0], bins=0)
    with pytest.raises(ScoreError, match="max_points"):
        roc_curve([1.0], [2.0], max_points=1)
    with pytest.raises(ScoreError, match="empty"):
        roc_curve([], [2.0])
