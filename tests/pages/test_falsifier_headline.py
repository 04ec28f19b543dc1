"""What the falsifier page says, by the numbers."""

import pandas as pd
import pytest

from cfs_explore.headlines.falsifier import budget_words, falsifier_headline


def leads(*rows):
    found = pd.DataFrame(rows, columns=["title", "lead", "lead_lo", "lead_hi", "saturated", "says"])
    return found.assign(trajectory=[title != "Single" for title in found["title"]])


BEHIND = ("Behind", -0.1, -0.2, -0.05, False, "supported")
AHEAD = ("Ahead", 0.1, 0.05, 0.15, False, "falsified")
FURTHER = ("Further", 0.2, -0.05, 0.4, False, "open")
UNCLEAR = ("Unclear", -0.01, -0.06, 0.04, False, "open")
WIDE = ("Wide", -0.05, -0.2, 0.1, False, "open")
SINGLE = ("Single", 0.3, 0.2, 0.4, False, "falsified")
PERFECT = ("Perfect", 0.0, -0.02, 0.02, True, "open")


@pytest.mark.parametrize(
    ("rows", "said", "named", "unsaid"),
    [
        ([BEHIND], "**supported**: none of 1 trajectory detector", "Behind comes nearest", "falsified"),
        (
            [BEHIND, UNCLEAR],
            "stays **open**: of 2 trajectory detectors",
            "Unclear comes nearest to a lead of more than 0.01 AUROC: **\u22120.010",
            "supported",
        ),
        ([BEHIND, FURTHER], "stays **open**", "Further comes nearest", "falsified"),
        ([WIDE, UNCLEAR], "stays **open**", "Unclear comes nearest", "Wide"),
        ([BEHIND, AHEAD, FURTHER], "**falsified**: Ahead beats every variant of CFS", "0.100", "Further"),
        ([PERFECT, PERFECT], "**no evidence**", "harder set", "supported"),
        ([PERFECT, BEHIND], "stays **open**", "separate nearly every image", "supported"),
        ([BEHIND, SINGLE], "**supported**", "Behind", "Single"),
        ([], "**not tested**", "no trajectory was measured", "supported"),
    ],
)
def test_the_headline_follows_the_leads(rows, said, named, unsaid):
    text = falsifier_headline("letters", leads(*rows), [])
    assert text.startswith("For **letters**, ") and said in text and named in text and unsaid not in text
    assert "not measured" not in text


def test_what_was_left_out_leaves_the_claim_open():
    text = falsifier_headline("x", leads(BEHIND), ["LMD"])
    assert "stays **open**: all 1 that compare stay below a lead of 0.01 AUROC, but LMD was not measured." in text
    assert " 2 more were not measured." in falsifier_headline("x", leads(UNCLEAR), ["LMD", "GEPC"])


def detector(name, kind, title, auroc, to_best=0.01, untrained=float("nan")):
    row = {"detector": name, "kind": kind, "title": title}
    for column, value in (("auroc", auroc), ("to_pair", auroc - 0.8), ("to_best", to_best)):
        row |= {column: value, f"{column}_lo": value - 0.02, f"{column}_hi": value + 0.02}
    row |= {"untrained_auroc": untrained, "untrained_lo": untrained - 0.02, "untrained_hi": untrained + 0.02}
    return row | {"lo": auroc - 0.02, "hi": auroc + 0.02}


def test_words_of_the_budget():
    pair, rival = detector("cfs_1x2", "cfs", "CFS(1x2)", 0.8), detector("gepc", "rival", "GEPC", 0.7)
    better = detector("lmd", "rival", "LMD", 0.9)
    assert "no detector was measured" in budget_words(1, pd.DataFrame())
    first = budget_words(1, pd.DataFrame([pair, rival]))
    assert "**1 forward** per image, **CFS(1x2)** has the highest AUROC on these images: 0.800" in first
    assert "The best rival, GEPC, is behind CFS(1x2): \u22120.100" in first
    assert budget_words(1, pd.DataFrame([pair])).endswith("].") and "rival" not in budget_words(1, pd.DataFrame([pair]))
    ahead = budget_words(20, pd.DataFrame([better, pair]))
    assert "**LMD** has the highest" in ahead and "LMD is ahead of CFS(1x2): 0.100" in ahead
    assert "of its cost: 0.010" in ahead
    near = budget_words(20, pd.DataFrame([detector("lmd", "rival", "LMD", 0.81), pair]))
    assert "LMD cannot be told from CFS(1x2): 0.010" in near
    cheap = detector("size", "rival", "Size", 0.9, float("nan"))
    assert "of its cost" not in budget_words(20, pd.DataFrame([cheap, pair]))


def test_equal_detectors_share_the_first_place():
    equal = [detector(name, kind, name, 0.9) for name, kind in (("CFS(1x2)", "cfs"), ("A", "head"), ("B", "rival"))]
    said = budget_words(5, pd.DataFrame([*equal, detector("C", "rival", "C", 0.8)]))
    assert "**CFS(1x2)** and 2 others have the highest AUROC on these images: 0.900 [0.880, 0.920]. The" in said


def test_the_untrained_copy_is_told_beside_the_first():
    said = budget_words(5, pd.DataFrame([detector("A", "head", "A", 0.9, untrained=0.88)]))
    assert "0.900 [0.880, 0.920]; the same on an untrained network 0.880 [0.860, 0.900]." in said
