"""What the page Training says: no stronger than the intervals."""

import pandas as pd
import pytest

from cfs_explore.headlines.training import training_headline

NAN = float("nan")


def said(change, excesses, best=(0.7, 0.9)) -> str:
    """With the last step's change of the best cell (value, lo, hi) and each later step's mean excess (lo, hi)."""
    rows = [{"step": 0, "best": best[0], "excess": 0.0, "excess_lo": 0.0, "excess_hi": 0.0}]
    for k, (lo, hi) in enumerate(excesses):
        rows.append({"step": 2**k, "best": best[1], "excess": (lo + hi) / 2, "excess_lo": lo, "excess_hi": hi})
    for row in rows:
        row |= {"best_lo": row["best"] - 0.02, "best_hi": row["best"] + 0.02, "n_id": 1_421, "n_ood": 250}
        row |= dict(zip(("best_excess", "best_excess_lo", "best_excess_hi"), change, strict=True))
    return training_headline("letters", pd.DataFrame(rows).sample(frac=1, random_state=0))


def test_a_best_cell_that_training_raises_and_since_when_the_map_is_above():
    assert said((0.2, 0.15, 0.25), [(0.01, 0.03), (-0.01, 0.02), (0.01, 0.03), (0.04, 0.06)]) == (
        "For **letters**, training **raises** the AUROC of the best cell: **0.700 [0.680, 0.720]** with the first "
        "weights, **0.900 [0.880, 0.920]** after 8 steps; difference **+0.200 [+0.150, +0.250]**, best cell against "
        "best cell (n = 1,421 ID, 250 OOD). The mean AUROC over all cells is above that of the first weights from step "
        "4 on, in the end, by **0.050 [0.040, 0.060]**."
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ((0.02, -0.01, 0.05), "training does **not** change the AUROC of the best cell beyond chance"),
        ((-0.2, -0.25, -0.15), "training **lowers** the AUROC of the best cell"),
    ],
)
def test_no_stronger_than_the_interval(change, words):
    text = said(change, [(-0.02, 0.01)])
    assert words in text and "raises" not in text
    assert "does **not** end above that of the first weights beyond chance: **−0.005 [−0.020, 0.010]**" in text


def test_a_map_that_training_makes_worse():
    text = said((-0.2, -0.25, -0.15), [(0.1, 0.2), (-0.2, -0.1)])
    assert text.endswith("ends **below** that of the first weights: **−0.150 [−0.200, −0.100]**.")


def test_only_the_last_step_both_near_1_and_too_few_images():
    assert "above that of the first weights only at the last step, by" in said((0.2, 0.1, 0.3), [(-1, 1), (0.1, 0.2)])
    saturated = said((0.002, 0.001, 0.003), [(0.1, 0.2)], best=(0.997, 0.999))
    assert "which is **no evidence**" in saturated and "raises" not in saturated
    assert said((NAN, NAN, NAN), [(0.1, 0.2)]).startswith("Too few images of **letters** to pick a best cell")
