"""The protocol page's sentences: every reading of the numbers has its own wording."""

import math

import pandas as pd
import pytest

from cfs_explore.headlines.protocol import (
    alignment_headline,
    comparison_headline,
    conditioning_headline,
    cost_headline,
    levels_headline,
)

NAMES = {"logsnr": "log-SNR", "uniform_t": "uniform time", "lam - 0.5": "λ - 0.5"}


def levels(*errors):
    requested = [9.0, 5.0, 1.0][: len(errors)]
    return pd.DataFrame({"requested": requested, "error": errors})


def variants(spearman, cost, lo):
    names = ["logsnr", "uniform_t", "lam - 0.5"]
    frame = pd.DataFrame({"variant": names, "baseline": "logsnr", "spearman": [1.0, spearman, 0.99]})
    frame = frame.assign(spearman_lo=frame["spearman"] - 0.04, spearman_hi=frame["spearman"] + 0.005)
    return frame.assign(
        cost_of_moving=[0, cost, 0],
        cost_of_moving_lo=[0, lo, 0],
        cost_of_moving_hi=[0, cost + 0.02, 0],
        baseline_auroc=0.9,
    )


def summary(**medians):
    rows = [
        {"variant": "x", "offset": offset, "region": region, "median": value, "worse": 0.25, "better": 0.1}
        | {"survive": 0.2}
        for region, by_offset in medians.items()
        for offset, value in by_offset.items()
    ]
    return pd.DataFrame(rows)


def difference(*values, half=0.01):
    frame = pd.DataFrame({"difference": values, "auroc_a": 0.7, "auroc_b": 0.8})
    return frame.assign(lo=frame["difference"] - half, hi=frame["difference"] + half)


@pytest.mark.parametrize(
    ("errors", "alignment", "sentence"),
    [
        (
            (0.01, -0.2),
            "logsnr",
            "**A** meets all 2 requested levels to within **0.200** in log-SNR (worst at λ = 5.0)",
        ),
        ((0.01, -0.6, 0.7), "logsnr", "**A** misses **2 of 3** requested levels (worst: λ = 1.0, off by 0.70)"),
        ((0.1, -0.6, 0.7), "perceptual", "its 3 levels aligned by perceptual, a median of **0.60** in log-SNR away"),
    ],
)
def test_levels(errors, alignment, sentence):
    text = levels_headline("A", levels(*errors), (-10.0, 9.0), alignment)
    assert sentence in text and text.endswith("reaches λ from \u221210.0 to 9.0.")


def test_a_map_that_hangs_on_its_alignment():
    text = alignment_headline("letters", variants(0.7, 0.05, 0.03), NAMES)
    assert "depends most on its alignment under **uniform time**" in text and "**0.700 [0.660, 0.705]**" in text
    assert "costs up to **0.050 [0.030, 0.070]** AUROC" in text
    assert text.endswith("beyond chance for 1 of 2 alignments (chance alone: 0.1).")
    full = alignment_headline("letters", variants(0.7, 0.05, 0.03).assign(baseline_auroc=1.0), NAMES)
    assert "worse beyond chance" in full


def test_a_map_that_does_not():
    text = alignment_headline("letters", variants(0.98, 0.01, -0.01), NAMES)
    assert text.startswith("The map of **letters** keeps its order") and "(uniform time)" in text
    assert text.endswith("no alignment picks a best cell that is worse beyond chance.")


def test_constant_maps():
    assert "are constant" in alignment_headline("letters", variants(math.nan, 0, 0).assign(spearman=math.nan), NAMES)


@pytest.mark.parametrize(
    ("offset", "sentence"),
    [
        (2.0, "conditioned on a level 2 too clean"),
        (-1.0, "conditioned on a level 1 too noisy"),
        (math.nan, "published"),
    ],
)
def test_what_a_wrong_level_costs(offset, sentence):
    text = conditioning_headline("letters", summary(encoder={1.0: 0.0}, decoder={offset: 0.02}, middle={1.0: 0.5}))
    assert sentence in text and "**0.020** AUROC in the decoder" in text
    assert "25 % of those cells lose beyond chance, 10 % gain (chance alone: 2.5 % each); 20 % survive" in text


def test_a_wrong_level_that_costs_nothing():
    assert "wrong conditioning costs the median cell of no region any AUROC" in conditioning_headline(
        "letters", summary(encoder={1.0: 0.0}, decoder={1.0: -0.1})
    )


def test_the_cheapest_that_is_nearly_as_good():
    rows = pd.DataFrame(
        {"detector": ["cheap @ 5", "good @ 5", "best @ 5"], "kind": "cell", "draws": 1, "effective": [0.1, 0.5, 4.0]}
        | {"ms": [1.0, math.nan, 20.0], "judged_auroc": [0.7, 0.895, 0.9], "picked_auroc": [0.7, 0.9, 0.91]}
    )
    rows = rows.assign(judged_lo=rows["judged_auroc"] - 0.02, judged_hi=rows["judged_auroc"] + 0.02)
    text = cost_headline("letters", rows, rows)
    assert text.endswith(
        "**good @ λ 5.0** comes within 0.01 of the best on the front at AUROC **0.895 [0.875, 0.915]** "
        "for 0.5 effective forwards per image."
    )
    pair = rows.iloc[:1].assign(kind="CFS", detector="CFS(1x2) at 5")
    text = cost_headline("letters", rows, pd.concat([rows, pair]))
    assert text.endswith(
        "the best pair, CFS(1x2) at 5, has 0.700 [0.680, 0.720] for 0.1 effective forwards per image (1 ms)."
    )
    assert cost_headline("letters", rows.iloc[:0], rows) == "No detector for **letters** has both a cost and an AUROC."


def test_who_is_ahead():
    text = comparison_headline("letters", "A", [("B", difference(0.05, 0.0, -0.05, 0.02)), ("C", difference(-0.1))])
    assert text == (
        "For **letters** and against **A**: **B** has a median difference in AUROC of **+0.010** over 4 matching "
        "cells, ahead beyond chance in 50 % of them and behind in 25 % (chance alone: 2.5 % each); **C** has a median "
        "difference in AUROC of **−0.100** over 1 matching cell, ahead beyond chance in 0 % of them and behind in "
        "100 % (chance alone: 2.5 % each)."
    )
    full = difference(0.004, half=0.001).assign(auroc_a=0.996, auroc_b=1.0)
    assert "ahead beyond chance in 0 %" in comparison_headline("letters", "A", [("E", full)])
    assert "**D** has no matching cell" in comparison_headline("letters", "A", [("D", difference())])
