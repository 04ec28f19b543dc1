"""The evidence of explorations: choices of a cell counted by hand, what is not measured, the command."""

import itertools
import runpy
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cfs_explore.cli import main
from cfs_explore.locations import BUNDLES
from cfs_explore.pipeline import explore
from cfs_explore.reports import evidence_choice as choice
from cfs_explore.reports import evidence_tables as parts
from cfs_explore.reports.evidence import as_markdown, evidence, gathered
from cfs_explore.reports.evidence_tables import Part
from cfs_explore.reports.markdown import markdown_table
from cfs_explore.store import open_run


@pytest.fixture(scope="module")
def narrow():
    return open_run(BUNDLES / "digits-narrow")


@pytest.fixture(scope="module")
def chosen(narrow):
    return choice.choice_table(narrow)


@pytest.fixture(scope="module")
def bare(tiny_spec, tmp_path_factory):
    """A finished map without diagnostics."""
    spec = tiny_spec(40, 12, name="bare", diagnostics="map")
    return explore(spec, tmp_path_factory.mktemp("evidence") / "bare", device="cpu")


def auroc_by_pairs(id_scores, ood_scores) -> float:
    """The share of pairs in the right order, a tie counting one half."""
    total = sum((own > other) + 0.5 * (own == other) for own, other in itertools.product(ood_scores, id_scores))
    return total / (len(id_scores) * len(ood_scores))


@pytest.mark.parametrize("ood", ["letters", "digits 7-9"])
def test_a_choice_is_worth_what_its_pairs_say(narrow, chosen, ood):
    worth = {}
    for policy in ("proxy", "fixed", "icc"):
        row = chosen[(chosen["ood"] == ood) & (chosen["policy"] == policy)].iloc[0]
        tap = [each.name for each in narrow.taps].index(row["tap"])
        scores = [
            narrow.scores(*of)[:, :, row["level"], tap].mean(axis=1).tolist() for of in (("id_test",), ("ood", ood))
        ]
        worth[policy] = auroc_by_pairs(*scores)
        assert row["regret"] == pytest.approx(row["best_auroc"] - worth[policy], abs=1e-6)
        assert row["gain"] == pytest.approx(worth["proxy"] - worth[policy], abs=1e-6)
        assert policy == "proxy" or row["gain_lo"] < row["gain"] < row["gain_hi"]
    assert len(set(worth.values())) == 3


def test_a_gain_is_the_difference_of_the_losses(chosen):
    """The best cell of a set falls out of it."""
    wide = chosen.pivot(index="ood", columns="policy", values="regret")
    gains = chosen.pivot(index="ood", columns="policy", values="gain")
    for policy in wide:
        assert np.allclose(gains[policy], wide[policy] - wide["proxy"], atol=1e-6), policy


def test_means_over_explorations_are_set_by_set():
    rows = [("a", "proxy", 0.1, 0.0), ("b", "proxy", 0.3, 0.0), ("a", "fixed", 0.2, 0.1), ("b", "fixed", 0.2, -0.1)]
    one = pd.DataFrame(rows, columns=["ood", "policy", "regret", "gain"])
    other = one.assign(regret=one["regret"] + 0.2, gain=one["gain"] * 3)[::-1]
    found = choice.means([one, other], ["a", "b"])
    assert {policy: (sorted(lost), sorted(gain)) for policy, (lost, gain) in found.items()} == {
        "proxy": (pytest.approx([0.2, 0.4]), [0, 0]),
        "fixed": (pytest.approx([0.3, 0.3]), pytest.approx([-0.2, 0.2])),
    }
    assert list(choice.means([one, other], ["a"])["fixed"][0]) == pytest.approx([0.3])


def test_late_seals_judge_nothing(narrow):
    part = parts.seals([narrow])
    assert part.table[["sets judged", "sets refused"]].to_numpy().tolist() == [[0, len(narrow.ood_names)]]
    assert part.note.startswith("**No prediction about any of these sets was sealed before")


def test_an_exploration_without_diagnostics_says_what_is_missing(bare):
    text = as_markdown(evidence(gathered([bare])))
    separation = text.split("### Diagonal-score separation")[1].split("\n### ")[0]
    assert "Not measured." in separation and "cfs-explore diagnose" in separation
    assert "| bare | none | 0 |" in text and "### Rivals" in text and "Transfer" not in text


def test_one_network_twice_transfers_without_loss(bare, tmp_path):
    shutil.copytree(bare.path, tmp_path / "copy")
    found = gathered([bare, open_run(tmp_path / "copy")])
    (family,) = found.families
    assert family.names == ["bare", "copy"] and family.sets == ["bright"]
    (part,) = (each for each in evidence(found) if each.heading == "Transfer between bare, copy")
    own = part.table[part.table["chosen by"].isin(["bare", "copy"])]
    assert own["AUROC lost [other images]"].str.startswith("0.000").all() and len(own) == 2
    assert "have the same network" in part.note


def test_the_command(bare, capsys):
    main(["evidence", str(bare.path), str(bare.path)])
    assert capsys.readouterr().out == as_markdown(evidence(gathered([bare])))


def test_a_table_cannot_be_broken_by_a_name():
    table = markdown_table(pd.DataFrame({"set": ["a|b\nc"], "images": [2000]}))
    assert table.splitlines() == ["| set | images |", "| --- | --: |", "| a&#124;b c | 2,000 |"]
    assert as_markdown([Part("Head", pd.DataFrame(), "why")]) == "### Head\n\nNot measured.\n\nwhy\n"


def test_sets_measured_after_the_seals_come_first(tmp_path):
    """Two sets judged and one refused, as docs/evidence/sealed.csv has them; the mean's set has no name."""
    rows = []
    for ood, gain in (("a", 0.1), ("b", 0.3), ("", 0.2)):
        for policy, gained in (("sealed", 0.0), ("random", gain), ("fixed", -gain)):
            rows.append(
                {
                    "bundle": "one",
                    "ood": ood,
                    "verdict": "confirmed" if ood != "b" else "open",
                    "n_id": 2000,
                    "n_ood": 200,
                }
                | {"spearman": 0.5, "spearman_lo": 0.4, "spearman_hi": 0.6, "policy": policy, "regret": 0.07}
                | {"gain": gained, "gain_lo": gained - 0.01, "gain_hi": gained + 0.01}
            )
    rows.insert(0, {"bundle": "one", "ood": "late", "verdict": "refused", "n_id": 2000, "n_ood": 9, "policy": "sealed"})
    pd.DataFrame(rows).to_csv(tmp_path / "sealed.csv", index=False)
    script = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "evidence_page.py"))
    whole, each = (part.table for part in script["sealed_first"](pd.read_csv(tmp_path / "sealed.csv")))
    assert each["OOD set"].to_list() == ["late", "a", "b"]
    assert each["gain over a random cell"].to_list() == ["", "0.100 [0.090, 0.110]", "0.300 [0.290, 0.310]"]
    (row,) = whole.to_dict("records")
    assert row["gain over the fixed cell"] == "\u22120.200 [\u22120.210, \u22120.190]" and row["AUROC lost"] == "0.070"
    half = stats.t.ppf(0.975, 1) * 0.1  # the deviation of 0.1 and 0.3 over the root of two
    assert row["[other sets], a random cell"] == f"[\u2212{half - 0.2:.3f}, {0.2 + half:.3f}]"
    assert row["sets"] == "1 confirmed; 1 open; 1 refused"
