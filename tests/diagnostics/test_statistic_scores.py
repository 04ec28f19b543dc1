"""Image statistics under the diagonal head: against plain loops, with constant and telling statistics."""

import numpy as np
import pandas as pd
import pytest

from cfs_explore.diagnostics import ScoreError, auroc, statistic_scores, statistic_table


def frame(n, seed, shift=0.0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"mean": rng.normal(size=n) + shift, "contrast": rng.gamma(2, size=n), "colourfulness": 0.0})


def test_scores_are_squared_z_scores_against_id_train():
    train, test, ood = frame(50, 0), frame(20, 1), frame(15, 2, 2.0)
    scores = statistic_scores(train, test, ood)
    assert list(scores) == ["mean", "contrast", "all"]
    for name in ("mean", "contrast"):
        mu = sum(train[name]) / 50
        v = sum((x - mu) ** 2 for x in train[name]) / 50
        np.testing.assert_allclose(scores[name][1], [(x - mu) ** 2 / v for x in ood[name]])
    np.testing.assert_allclose(scores["all"][0], (scores["mean"][0] + scores["contrast"][0]) / 2)


def test_table_judges_each_and_says_what_is_left_out():
    train, test, ood = frame(50, 0), frame(40, 1), frame(30, 2, 3.0)
    table = statistic_table(train, test, ood).set_index("statistic")
    assert list(table.index) == ["mean", "contrast", "colourfulness", "all"]
    row = table.loc["mean"]
    assert (row.auroc, row.lo, row.hi) == tuple(auroc(*statistic_scores(train, test, ood)["mean"]))
    assert row.auroc > 0.9 and row.note == "" and (row.n_id, row.n_ood) == (40, 30)
    assert np.isnan(table.loc["colourfulness", "auroc"]) and table.loc["colourfulness", "note"].startswith("constant")


def test_a_statistic_that_only_ood_varies_in_is_kept():
    """Grey ID images and colourful OOD images: colourfulness gives the set away."""
    train, test = frame(50, 0), frame(40, 1)
    ood = frame(30, 2).assign(colourfulness=20.0)
    assert statistic_table(train, test, ood).set_index("statistic").loc["colourfulness", "auroc"] == 1


def test_nothing_varies():
    flat = pd.DataFrame({"mean": [1.0, 1.0, 1.0]})
    assert statistic_scores(flat, flat, flat) == {}
    assert statistic_table(flat, flat, flat)["auroc"].isna().all()


def test_other_columns_are_refused():
    with pytest.raises(ScoreError, match="the same columns"):
        statistic_scores(frame(5, 0), frame(5, 1), frame(5, 2)[["mean"]])
