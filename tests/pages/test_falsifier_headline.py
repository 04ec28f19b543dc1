"""What the falsifier page says, by the numbers."""

import pandas as pd
import pytest

from cfs_explore.headlines.falsifier import budget_words, falsifier_headline, room_words, same_snapshots


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


def detector(name, kind, title, auroc, untrained=float("nan"), copies=1):
    row = {"detector": name, "kind": kind, "title": title, "auroc": auroc, "lead": auroc - 0.8}
    for column, value, wide in (("joint", auroc, 0.04), ("lead", auroc - 0.8, 0.04), ("untrained", untrained, 0.02)):
        row |= {f"{column}_lo": value - wide, f"{column}_hi": value + wide}
    row |= {f"to_untrained{end}": auroc - untrained for end in ("", "_lo", "_hi")}
    return row | {"untrained": untrained, "copies": copies}


def test_words_of_the_budget():
    pair, rival = detector("cfs_1x2", "cfs", "CFS(1x2)", 0.8), detector("gepc", "rival", "GEPC", 0.7)
    better = detector("lmd", "rival", "LMD", 0.9)
    assert "no detector was measured" in budget_words(1, pd.DataFrame())
    first = budget_words(1, pd.DataFrame([pair, rival]))
    assert "**1 forward** per image, **CFS(1x2)** has the highest AUROC on these images: 0.800 [0.760, 0.840]" in first
    assert "The best rival, GEPC, is behind CFS(1x2): \u22120.100 [\u22120.140, \u22120.060]" in first
    assert budget_words(1, pd.DataFrame([pair])).endswith("].") and "rival" not in budget_words(1, pd.DataFrame([pair]))
    ahead = budget_words(20, pd.DataFrame([better, pair]))
    assert "**LMD** has the highest" in ahead and "LMD is ahead of CFS(1x2): 0.100 [0.060, 0.140]." in ahead
    near = budget_words(20, pd.DataFrame([detector("lmd", "rival", "LMD", 0.83), pair]))
    assert "LMD cannot be told from CFS(1x2): 0.030" in near
    other = budget_words(20, pd.DataFrame([detector("cfs_2x2", "cfs", "CFS(2x2)", 0.9), pair, rival]))
    assert "CFS(2x2) is ahead of CFS(1x2): 0.100" in other and "The best rival, GEPC, is behind" in other


def test_the_words_say_that_the_limits_hold_for_all_that_were_picked_from():
    rows = [detector(name, "head", name, auroc) for name, auroc in (("A", 0.9), ("B", 0.85), ("C", 0.8))]
    assert budget_words(5, pd.DataFrame(rows)).endswith(
        "These limits hold for all 3 detectors within the budget at once, as the best must be picked from them."
    )
    assert "at once" not in budget_words(5, pd.DataFrame(rows[:1]))
    said = same_snapshots(pd.DataFrame(rows))
    assert said.endswith("(A) makes AUROC 0.900 [0.860, 0.940], limits that hold for all 3 heads at once.")
    assert "at once" not in same_snapshots(pd.DataFrame(rows[:1])) and same_snapshots(pd.DataFrame()) == ""


def test_equal_detectors_share_the_first_place():
    equal = [detector(name, kind, name, 0.9) for name, kind in (("cfs_1x2", "cfs"), ("A", "head"), ("B", "rival"))]
    said = budget_words(5, pd.DataFrame([*equal, detector("C", "rival", "C", 0.8)]))
    assert "**cfs_1x2** and 2 others have the highest AUROC on these images: 0.900 [0.860, 0.940]. The" in said


def test_the_untrained_copies_are_told_beside_the_first():
    said = budget_words(5, pd.DataFrame([detector("A", "head", "A", 0.9, untrained=0.88)]))
    assert "By itself, on one untrained copy, without spread: 0.880 [0.860, 0.900], a difference of" in said
    said = budget_words(5, pd.DataFrame([detector("A", "head", "A", 0.9, untrained=0.88, copies=5)]))
    assert "on 5 untrained copies, with their spread: 0.880" in said and "a difference of 0.020" in said
    older = pd.DataFrame([detector("A", "head", "A", 0.9, untrained=0.88)]).assign(to_untrained=float("nan"))
    assert "0.880 [0.860, 0.900]." in budget_words(5, older) and "difference" not in budget_words(5, older)
    assert "untrained" not in budget_words(5, pd.DataFrame([detector("A", "head", "A", 0.9)]))


def test_the_budgets_that_would_do_are_told():
    rows = pd.DataFrame(
        {
            "title": ["GEPC", "LMD", "Head", "SCOPED", "GEPC"],
            "network": ["trained"] * 4 + ["untrained"],
            "trajectory": [True, True, False, True, True],
            "needed": [4.1, 38.2, 3.9, float("nan"), 4.1],
        }
    )
    assert room_words(rows) == (
        "The budget had no room for 2 trajectory detectors; one of 4.1 times the map's forwards has room for GEPC, one "
        "of 38.2 for all of them."
    )
    assert room_words(rows.iloc[:1]).endswith(
        "for 1 trajectory detector; one of 4.1 times the map's forwards has room for GEPC."
    )
    assert room_words(rows.iloc[2:]) == ""
