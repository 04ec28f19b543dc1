"""What the verdict page says in one sentence, of tables made by hand."""

import pandas as pd

from cfs_explore.figures.claims import BELOW, CLAIMS, LIMITS
from cfs_explore.headlines.verdict import WORDS, verdict_headline


def rows(**verdicts: str) -> pd.DataFrame:
    """claim -> one letter per OOD set: y(es), n(o), o(pen), e(vidence missing), m(issing)."""
    words = {"y": "yes", "n": "no", "o": "open", "e": "no evidence", "m": "missing"}
    made = [
        {"claim": claim.replace("_", " "), "ood": "" if claim == "stable" else f"set {k}", "verdict": words[letter]}
        for claim, letters in verdicts.items()
        for k, letter in enumerate(letters)
    ]
    frame = pd.DataFrame(made)
    firm = frame["verdict"].isin(["yes", "no"])
    p = firm.map({True: 0.001, False: 0.4}).where(~frame["verdict"].isin(["missing", "no evidence"]))
    return frame.assign(p=p, survives=firm)


def test_every_claim_has_words_and_a_limit_that_its_measure_names():
    assert list(WORDS) == list(CLAIMS) == list(LIMITS)
    for claim, measured in CLAIMS.items():
        side = "below" if claim in BELOW else "above"
        assert measured.endswith(f"{side} {LIMITS[claim]:g}")
        assert len(WORDS[claim].short) <= 24 and WORDS[claim].sentence.endswith(".")


def test_it_counts_claims_that_hold_everywhere_and_those_that_do_not():
    assert verdict_headline(rows(low_noise="nnyo", pair="yyyy", stable="y", plateau="nyyy", trained="yyye")) == (
        "**2 of 4** claims of the paper hold on every OOD set that can judge them: “The pair beats one” and “Training "
        "matters”. This map speaks against **2**: “Low noise is best” on 2 of 4 sets and “Any low noise will do” on 1. "
        "“Snapshots are stable”, of ID-test alone, **holds**."
    )


def test_what_does_not_survive_neither_holds_nor_speaks_against():
    table = rows(pair="yy", plateau="nn", stable="n")
    table["survives"] = False
    said = verdict_headline(table)
    assert said.startswith("**0 of 2** claims of the paper hold on every OOD set that can judge them. ")
    assert "speaks against **none**. “Snapshots are stable”, of ID-test alone, is **open**." in said


def test_one_set_and_nothing_against():
    said = verdict_headline(rows(pair="y", decoder="o"))
    assert said.startswith("**1 of 2** claims of the paper holds on the one OOD set: “The pair beats one”.")
    assert said.endswith("speaks against **none**.")


def test_nothing_was_measured():
    assert verdict_headline(rows(pair="mm", stable="m")) == "Nothing could be judged."
