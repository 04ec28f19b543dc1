"""The paper's claims on a finished map: each number against another way to it; verdicts that follow the interval."""

import copy
import json

import numpy as np
import pandas as pd
import pytest
from bundles import bundle

from cfs_explore.cli import main
from cfs_explore.diagnostics import Groups, auroc, best_cell
from cfs_explore.diagnostics.falsifier import says, verdict
from cfs_explore.diagnostics.verdicts import p_value
from cfs_explore.errors import RunError
from cfs_explore.figures import claims
from cfs_explore.figures.falsifier import untested
from cfs_explore.store import open_run

#: Claim -> what its interval must lie above, or below where the sign is negative.
LIMITS = {"low noise": 0.0, "pair": 0.0, "decoder": -0.02, "few cells": -0.02, "complementary": 0.5, "stable": 0.9}


@pytest.fixture(scope="module")
def digits():
    return bundle("digits")


@pytest.fixture(scope="module")
def table(digits):
    return claims.claims_table(digits)


def row_of(table, claim, ood):
    return table[(table["claim"] == claim) & (table["ood"] == ood)].iloc[0]


def test_every_claim_on_every_set(digits, table):
    about_sets = [claim for claim in claims.CLAIMS if claim != "stable"]
    expected = [("stable", "")] + [(claim, ood) for claim in about_sets for ood in digits.ood_names]
    assert sorted(zip(table["claim"], table["ood"], strict=True)) == sorted(expected)
    assert list(table["claim"].drop_duplicates()) == list(claims.CLAIMS)


@pytest.mark.parametrize("ood", ["digits 7-9", "noisy"])
def test_low_noise_is_the_difference_of_two_honest_best_cells(digits, table, ood):
    id_scores, ood_scores = digits.scores("id_test"), digits.scores("ood", ood)
    groups = Groups.of(*digits.group_names(ood))
    low, high = (
        best_cell(id_scores[:, :, levels], ood_scores[:, :, levels], groups=groups).honest.value
        for levels in ([0, 1, 2, 3], [4, 5, 6, 7])
    )
    assert row_of(table, "low noise", ood)["value"] == pytest.approx(low - high, abs=1e-6)


@pytest.mark.parametrize("ood", ["letters", "flipped"])
def test_the_pair_against_the_table_of_detectors(digits, table, ood):
    detectors = digits.table("detectors")
    value = detectors[detectors["ood"] == ood].set_index("name")["auroc"]
    pair, decoder = row_of(table, "pair", ood), row_of(table, "decoder", ood)
    assert pair["value"] == pytest.approx(value["CFS(1x2)"] - value["CFS-dec(1x1)"], abs=1e-6)
    assert (decoder["value"], decoder["lo"], decoder["hi"]) == (-pair["value"], -pair["hi"], -pair["lo"])
    best = digits.table("best_cell").set_index("ood").loc[ood, "honest"]
    assert row_of(table, "few cells", ood)["value"] == pytest.approx(value["CFS(1x2)"] - best, abs=1e-6)


def test_the_plateau_is_the_range_of_the_decoder_over_low_noise(digits, table):
    """Smaller than the range that is read off the images which chose best and worst level (theory 30)."""
    tap = [t.name for t in digits.taps].index(digits.manifest.presets["sparse_ed"][1])
    sides = (digits.scores("id_test"), digits.scores("ood", "letters"))
    values = [auroc(*(s[:, :, k, tap].mean(axis=1) for s in sides)).value for k in range(4)]
    row = row_of(table, "plateau", "letters")
    assert 0.8 * np.ptp(values) < row["value"] <= np.ptp(values) + 1e-3 and row["lo"] < row["value"] < row["hi"]
    assert row["verdict"] == "no" and "best at lam 3.0" in row["note"]


def test_saturated_comparisons_are_no_evidence(table):
    """Two AUROCs of 1 differ by nothing, which supports no claim (theory 30)."""
    rows = table[table["verdict"] == "no evidence"]
    assert {"inverted", "photo patches"} <= set(rows["ood"]) and not rows["survives"].any() and rows["p"].isna().all()
    assert (rows["value"].abs() < 0.01).all()


def test_verdicts_that_survive_are_those_of_benjamini_and_hochberg(table):
    p = table["p"].dropna().sort_values().to_numpy()
    passed = np.flatnonzero(p <= 0.05 * np.arange(1, len(p) + 1) / len(p))
    limit = p[passed[-1]]
    firm = table["verdict"].isin(["yes", "no"])
    assert (table["survives"] == (firm & (table["p"] <= limit))).all()
    assert 0 < table["survives"].sum() <= firm.sum() and "survive" in claims.by_chance(table)


def test_verdicts_follow_the_interval(table):
    seen = set()
    for row in table[~table["verdict"].isin(["missing", "no evidence"])].itertuples():
        if row.claim in claims.BELOW:
            expected = "yes" if row.hi < 0.01 else "no" if row.lo > 0.01 else "open"
        else:
            limit = LIMITS.get(row.claim, 0.0)
            expected = "yes" if row.lo > limit else "no" if row.hi < limit else "open"
        assert row.verdict == expected, row
        assert row.lo <= row.value <= row.hi
        seen.add(row.verdict)
    assert seen == {"yes", "no", "open"}


def test_the_summary_counts_every_row_once(table):
    counts = claims.summary(table).set_index("claim")
    assert counts.index.tolist() == list(claims.CLAIMS)
    rows = table.groupby("claim").size()
    assert (counts[claims.VERDICTS].sum(axis=1) == rows[counts.index]).all()
    assert counts.loc["low noise", "no"] == ((table["claim"] == "low noise") & (table["hi"] < 0)).sum() > 0


def test_what_was_not_measured_is_missing_with_a_reason(digits, tmp_path):
    for name in ("spec.yaml", "images.parquet", "scores.zarr", "moments.zarr"):
        (tmp_path / name).symlink_to(digits.path / name)
    manifest = json.loads((digits.path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"files": {}}))
    (tmp_path / "tables").mkdir()
    missing = claims.claims_table(open_run(tmp_path)).query("verdict == 'missing'")
    assert set(missing["claim"]) == {"complementary", "stable", "trained", "beyond statistics", "no trajectory"}
    assert missing["note"].str.contains("was made without the stage").all() and missing["value"].isna().all()
    assert (missing["n_id"] == digits.id_test.count).all()


def test_a_run_without_the_pair_says_what_to_measure(digits):
    run = open_run(digits.path)
    run.manifest = run.manifest.model_copy(update={"presets": {}})
    with pytest.raises(RunError, match="measure all taps"):
        claims.claims_table(run)


def test_the_command_prints_and_writes(capsys, tmp_path, table, monkeypatch):
    monkeypatch.setattr(claims, "claims_table", lambda run: table)  # what the command computes: tests of the lesson
    main(["claims", "digits"])
    shown = capsys.readouterr().out
    assert all(claim in shown for claim in claims.CLAIMS) and "digits 7-9" in shown and "nan" not in shown.lower()
    main(["claims", "digits", "--csv", str(tmp_path / "claims.csv")])
    written = pd.read_csv(tmp_path / "claims.csv", keep_default_na=False)
    assert len(written) == len(table)


def test_small_numbers_are_written_without_a_false_zero(table):
    rows = table.assign(value=-0.0001, lo=-0.0123, p=[1e-9, 0.0306, float("nan")] + [0.2] * (len(table) - 3))
    shown = claims.as_text(rows, "digits")
    assert "<0.001" in shown and "0.031" in shown and "-0.012" in shown
    assert "-0.000" not in shown and "nan" not in shown.lower()
    assert "-0.000" not in claims.as_text(table, "digits") and " 0.000 " not in _column_of_p(table)


def with_leads(run, *, gaps=False, **columns):
    """The run's leads with other values, a column each; without the trajectory detectors that were not measured."""
    other = copy.copy(run)
    other.derived = lambda compute, *arguments: compute(other, *arguments)

    def table(name):
        found = run.table(name)
        if name == "leads":
            found = found.assign(**columns)
            return found.assign(says=says(found))
        return found[found["auroc"].notna()] if name == "falsifier" and not gaps else found

    other.table = table
    return other


def test_no_trajectory_is_the_largest_lead(rivals_run):
    row = row_of(claims.claims_table(rivals_run), "no trajectory", "bright")
    leads = rivals_run.table("leads").query("trajectory")
    for name in ("lead", "lead_lo", "lead_hi"):
        assert row[{"lead": "value", "lead_lo": "lo", "lead_hi": "hi"}[name]] == pytest.approx(leads[name].max())
    gaps = len(untested(rivals_run.table("falsifier").query("ood == 'bright'")))
    expected = "no" if row["lo"] > 0.01 else "yes" if row["hi"] < 0.01 and not gaps else "open"
    assert row["verdict"] == ("no evidence" if leads["saturated"].all() else expected)
    assert (f", {gaps} more not measured" in row["note"]) == (gaps > 0)
    assert f"; {len(leads)} detectors" in row["note"] and (row["n_id"], row["n_ood"]) == (12, 12)


@pytest.mark.parametrize(
    ("lead", "saturated", "expected"),
    [
        ((-0.2, -0.3, -0.1), False, "yes"),
        ((0.0, -0.02, 0.02), False, "open"),
        ((0.05, 0.02, 0.09), False, "no"),
        ((0.0, -0.02, 0.02), True, "no evidence"),
    ],
)
def test_the_verdict_on_no_trajectory_is_the_pages(rivals_run, lead, saturated, expected):
    """Falsified, supported and open are no, yes and open (theory 21, 30)."""
    columns = dict(zip(("lead", "lead_lo", "lead_hi"), lead, strict=True)) | {"saturated": saturated}
    run = with_leads(rivals_run, **columns)
    row = row_of(claims.claims_table(run), "no trajectory", "bright")
    assert row["verdict"] == expected
    found = run.table("leads")
    said = verdict(found, 0)
    assert {"falsified": "no", "supported": "yes", "open": "open"}[said] == expected.replace("no evidence", "open")
    if expected in ("yes", "no"):
        each = p_value(*lead, 0.01)
        count = found["trajectory"].sum() if expected == "no" else 1
        assert row["p"] == pytest.approx(min(1, count * each))
        assert row["value"] == lead[0]


def test_one_saturated_rival_leaves_no_trajectory_open(rivals_run):
    some = np.arange(len(rivals_run.table("leads"))) == 0
    run = with_leads(rivals_run, lead=-0.2, lead_lo=-0.3, lead_hi=-0.1, saturated=some)
    row = row_of(claims.claims_table(run), "no trajectory", "bright")
    found = run.table("leads")
    assert row["verdict"] == verdict(found, 0) == "open" and not row["survives"]


def test_a_gap_leaves_no_trajectory_open(rivals_run):
    run = with_leads(rivals_run, gaps=True, lead=-0.2, lead_lo=-0.3, lead_hi=-0.1, saturated=False)
    assert untested(run.table("falsifier").query("ood == 'bright'"))
    row = row_of(claims.claims_table(run), "no trajectory", "bright")
    assert row["verdict"] == "open" and "not measured" in row["note"]


def _column_of_p(table) -> str:
    return claims.as_text(table[["claim", "p", "verdict", "survives"]].assign(ood="", note=""), "digits")
