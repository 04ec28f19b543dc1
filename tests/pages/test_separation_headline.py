"""The separation headline says what the numbers say, and no more."""

import math

import pandas as pd
import pytest

from cfs_explore.headlines.separation import coverage, separation_headline

WHERE = "up1.res2 (decoder) at λ = 5.0"


def cell(shift, change, half=0.1, part=0.1, **more) -> dict:
    """A cell with Delta = shift + change, intervals of +- half for Delta and +- part for its parts."""
    row = {"auroc": 0.8, "lo": 0.75, "hi": 0.85, "predicted": 0.78, "bound": 0.4}
    for name, value, width in (
        ("delta", shift + change, half),
        ("mean_shift", shift, part),
        ("variance_change", change, part),
    ):
        row |= {name: value, f"{name}_lo": value - width, f"{name}_hi": value + width}
    return row | more


def headline(*cells) -> str:
    return separation_headline(pd.DataFrame(cells), cells[0], WHERE)


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (cell(0.9, 0.4), "separates mostly by **mean shift** (69 % of Δ = 1.300 [1.200, 1.400])."),
        (cell(0.3, 0.9), "separates mostly by **variance** (75 % of Δ = 1.200"),
        (cell(0.6, 0.5), "by **mean shift and variance together** (mean shift: 55 % of Δ"),
        (
            cell(0.9, 0.05),
            "by **mean shift**: Δ = 0.950 [0.850, 1.050], of which the change in variance, 0.050 [−0.050",
        ),
        (cell(-0.02, 0.8), "by **variance**: Δ = 0.780 [0.680, 0.880], of which the mean shift, −0.020"),
        (cell(0.9, -0.3), "by **mean shift**, less a fall in variance: Δ = 0.600 [0.500, 0.700], mean shift 0.900"),
        (cell(-0.3, 0.9), "by **variance**, less a mean that moves closer: Δ = 0.600"),
        (cell(0.3, 0.2, part=0.4), "separates, but whether by mean shift or by variance is unclear: Δ = 0.500"),
        (cell(-0.4, -0.2), "scores OOD **lower** than ID: Δ = −0.600"),
        (cell(0.02, 0.01, lo=0.45), "does not raise the mean score beyond chance: Δ = 0.030 [−0.070, 0.130]."),
        (cell(0.02, 0.01), "its AUROC of 0.800 [0.750, 0.850] may come from the **shape**"),
        (cell(0.5, 0.1, half=math.nan), "Δ = 0.600 has no interval"),
    ],
)
def test_the_chosen_cell(chosen, said):
    text = headline(chosen)
    assert said in text and WHERE in text


def test_all_cells():
    good = cell(0.9, 0.4)
    assert "Over 2 cells" in headline(good, good) and "by **0.020** on average" in headline(good, good)
    assert "no cell falls below the bound." in headline(good, good)
    assert "none of the 1 cells to which the bound applies" in headline(good, good | {"bound": math.nan})
    assert "**1** of 2 cells lie **below the bound**" in headline(good, good | {"bound": 0.9})
    assert "the bound does not apply" in headline(good | {"bound": math.nan})
    assert "With fewer than two images in a set" in headline(good | {"predicted": math.nan, "bound": math.nan})
    assert "**0.060** on average" in headline(good, good | {"predicted": 0.7}, good | {"predicted": math.nan})


def test_coverage_counts_predictions_inside_the_interval():
    cells = pd.DataFrame([cell(1, 1), cell(1, 1, predicted=0.6), cell(1, 1, predicted=math.nan)])
    assert coverage(cells) == 0.5
    assert math.isnan(coverage(cells.assign(predicted=math.nan)))
