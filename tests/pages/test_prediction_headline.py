"""The prediction page's sentence: every reading of the numbers has its own wording."""

import math

import pytest

from cfs_explore.headlines.prediction import prediction_headline

NAN = math.nan


def ranking(value, lo, hi):
    return {"spearman": value, "spearman_lo": lo, "spearman_hi": hi}


def loss(value, lo, hi):
    return {"regret": value, "regret_lo": lo, "regret_hi": hi}


def said(rank, **policies):
    return prediction_headline("letters", ranking(*rank), policies, "5.0").replace("**", "")


def test_a_good_ranking_and_its_price():
    text = said((0.71, 0.62, 0.78), proxy=loss(0.02, 0.01, 0.03), fixed=loss(0.12, 0.1, 0.14))
    assert text == (
        "Proxies made from ID images rank the cells for letters with Spearman 0.710 [0.620, 0.780]; against the best "
        "cell, the cell they choose loses 0.020 [0.010, 0.030] AUROC, the fixed choice λ = 5.0 loses 0.120 [0.100, "
        "0.140] AUROC."
    )


@pytest.mark.parametrize(
    ("rank", "wording"),
    [
        ((0.2, -0.1, 0.5), "do not rank the cells for letters beyond chance: Spearman 0.200 [−0.100, 0.500]"),
        ((0.2, 0.0, 0.4), "do not rank the cells"),
        ((-0.4, -0.6, -0.1), "the wrong way round: Spearman −0.400"),
        ((1.0, NAN, NAN), "rank the cells for letters with Spearman 1.000"),
        ((NAN, NAN, NAN), "cannot rank the cells for letters"),
    ],
)
def test_rankings(rank, wording):
    assert wording in said(rank, proxy=loss(0.1, 0.05, 0.15))


@pytest.mark.parametrize(
    ("row", "wording"),
    [
        (loss(0.0, 0.0, 0.0), "against the best cell, the cell they choose loses nothing."),
        (loss(0.0, -0.01, 0.01), "nothing beyond chance (0.000 [−0.010, 0.010] AUROC)"),
        (loss(0.004, 0.0, 0.01), "nothing beyond chance"),
        (loss(0.2, NAN, NAN), "loses 0.200 AUROC"),
    ],
)
def test_losses(row, wording):
    assert wording in said((0.7, 0.6, 0.8), proxy=row)


def test_policies_without_a_cell():
    none = loss(NAN, NAN, NAN)
    assert said((NAN, NAN, NAN), proxy=none, fixed=none) == (
        "Proxies made from ID images cannot rank the cells for letters."
    )
    text = said((NAN, NAN, NAN), proxy=none, fixed=loss(0.1, 0.05, 0.2))
    assert text.endswith("; against the best cell, the fixed choice λ = 5.0 loses 0.100 [0.050, 0.200] AUROC.")
    assert "fixed" not in said((0.7, 0.6, 0.8), proxy=loss(0.1, 0.05, 0.2), fixed=none)
