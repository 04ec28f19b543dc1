"""What the page Where says: no stronger than the intervals."""

import pandas as pd
import pytest

from cfs_explore.headlines.where import where_headline

CELL = {"region": "decoder", "tap": "up_blocks.1.resnets.1", "lam": 7.0, "truth": "patch"}
BEST = {"trained": 0.91, "trained_lo": 0.88, "trained_hi": 0.93}


def said(part="score", *, of=CELL | BEST, **controls) -> str:
    """With (auroc, lo, hi, and limits of the excess) of each control."""
    names = ("auroc", "auroc_lo", "auroc_hi", "lo", "hi")
    rows = [
        of | {"control": name.replace("_", " ")} | dict(zip(names, numbers, strict=True))
        for name, numbers in controls.items()
    ]
    return where_headline("letters", part, pd.DataFrame(rows))


def test_more_than_all():
    text = said(
        untrained=(0.6, 0.55, 0.65, 0.2, 0.4), input_tap=(0.7, 0.6, 0.8, 0.1, 0.3), pixels=(0.75, 0.7, 0.8, 0.1, 0.2)
    )
    assert text == (
        "For **letters**, the score finds the planted patch best in the **decoder** (up1.res1) at **λ = 7.0**: pixel "
        "AUROC **0.910 [0.880, 0.930]**; more than one untrained copy (0.600 [0.550, 0.650]), the input tap (0.700 "
        "[0.600, 0.800]) and plain pixel z-scores (0.750 [0.700, 0.800])."
    )


def test_each_verdict_has_its_words():
    text = said(
        "deviation",
        untrained=(0.6, 0.55, 0.65, 0.2, 0.4),
        input_tap=(0.9, 0.86, 0.93, -0.01, 0.03),
        pixels=(0.97, 0.95, 0.98, -0.09, -0.03),
    )
    assert "the local deviation finds" in text
    assert "; more than one untrained copy (0.600" in text
    assert ", **not** clearly more than the input tap (0.900" in text
    assert ", **less** than plain pixel z-scores (0.970" in text


def test_two_that_find_everything_are_no_evidence():
    perfect = CELL | {"trained": 0.998, "trained_lo": 0.99, "trained_hi": 1.0}
    assert "no evidence against plain pixel" in said(of=perfect, pixels=(0.999, 0.99, 1.0, -0.002, 0.001))


def test_chance_is_no_finding():
    weak = CELL | {"trained": 0.52, "trained_lo": 0.48, "trained_hi": 0.56}
    text = said(of=weak, pixels=(0.5, 0.45, 0.55, -0.1, 0.1))
    assert text.startswith("For **letters**, no cell clearly finds the planted patch: the best one, in the **decoder**")
    assert text.endswith("has pixel AUROC **0.520 [0.480, 0.560]**.")


@pytest.mark.parametrize(("truth", "thing"), [("patch", "the planted patch"), ("mask", "what the masks mark")])
def test_what_is_found(truth, thing):
    assert f"finds {thing} best" in said(of=CELL | BEST | {"truth": truth}, pixels=(0.7, 0.6, 0.8, 0.1, 0.3))


def test_too_few_images():
    nothing = CELL | dict.fromkeys(BEST, float("nan"))
    assert said(of=nothing, pixels=(float("nan"),) * 5).startswith("Too few images of **letters**")
