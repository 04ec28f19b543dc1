"""The falsifier page's figures hold the stage's tables; triage by a detector that scored a sample."""

import numpy as np
import pytest
from changed_run import changed, with_columns
from figure_steps import assert_follows_theme, assert_whole, make, trace

from cfs_explore.detectors.stored import Measured, measured_detectors, titles
from cfs_explore.diagnostics import alarm
from cfs_explore.diagnostics.simultaneous import joint_limits
from cfs_explore.figures.choices import choose
from cfs_explore.figures.falsifier import KINDS, affordable, contest, detector_rows
from cfs_explore.figures.needs import NotMeasuredError
from cfs_explore.figures.triage import find
from cfs_explore.wording import format_estimate, format_value


@pytest.fixture(scope="module")
def rows(rivals_run):
    return rivals_run.table("falsifier").query("network == 'trained'").set_index("detector")


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_is_whole_and_follows_the_theme(kind, rivals_run):
    choices = choose(rivals_run)
    figure = make(kind, rivals_run, choices)
    assert_whole(figure, "rivals-bright-")
    assert "OOD: bright; n = 12 ID, 12 OOD" in figure.caption
    assert_follows_theme(kind, rivals_run, choices)


def test_the_front_shows_every_measured_detector(rivals_run, rows):
    figure = make("falsifier-front", rivals_run, choose(rivals_run))
    for name, kind in (("CFS", "cfs"), ("Other heads on snapshots", "head"), ("Rivals", "rival")):
        part = rows[(rows["kind"] == kind) & rows["auroc"].notna()]
        assert list(trace(figure, name).y) == pytest.approx(part["auroc"].tolist())
        assert list(trace(figure, name).x) == pytest.approx(part["cost"].clip(lower=0.5).tolist())
    missing = int(rows["auroc"].isna().sum())
    assert missing >= 4 and f"Not measured: {missing} detectors" in figure.caption
    assert "fitted on the same 24 ID-train images" in figure.caption
    assert f"AUROC of {len(rows) - missing} detectors" in figure.alt


@pytest.mark.parametrize("budget", [1, 5, 500])
def test_the_budget_decides_who_is_best(rivals_run, rows, budget):
    figure = make("falsifier-front", rivals_run, choose(rivals_run, options={"falsifier_budget": str(budget)}))
    within = rows[rows["cost"] <= budget]
    best = within["auroc"].max()
    assert (
        f"For at most {budget} forward" in figure.alt
        and f"is highest on these images with {format_value(best)}" in figure.alt
    )
    found = affordable(detector_rows(rivals_run, "falsifier", "bright"), budget)
    assert found["auroc"].is_monotonic_decreasing and set(found["detector"]) == set(within.dropna(subset="auroc").index)


def scores_by_hand(run, names):
    return tuple(np.stack([scores_of(run, name, role)["score"] for name in names]) for role in ("id_test", "ood"))


@pytest.mark.parametrize("budget", [1, 20])
def test_the_best_at_a_budget_has_limits_for_all_of_them_and_the_file_has_them_too(rivals_run, rows, budget):
    """From the stored scores, by hand."""
    found = contest(rivals_run, "bright", budget)
    expected = joint_limits(scores_by_hand(rivals_run, found["detector"]), scores_by_hand(rivals_run, ["cfs_1x2"]))
    for column in ("auroc", "joint_lo", "joint_hi", "lead", "lead_lo", "lead_hi"):
        assert found[column].tolist() == pytest.approx(expected[column].tolist())
    assert found["auroc"].tolist() == pytest.approx(rows.loc[found["detector"], "auroc"].tolist())
    inside = found["joint_lo"] < found["lo"] + 1e-9
    assert inside.all() and (found["in_contest"] == len(found)).all()
    figure = make("falsifier-front", rivals_run, choose(rivals_run, options={"falsifier_budget": str(budget)}))
    first = found.iloc[0]
    told = format_estimate(first["auroc"], first["joint_lo"], first["joint_hi"])
    assert f"Within it {first['title']} is highest, {told}" in figure.caption
    assert f"limits that hold for all {len(found)} at once" in figure.caption
    within = figure.rows.query("network == 'trained'").set_index("detector")["budget_lead_lo"].dropna()
    assert within.to_dict() == pytest.approx(found.set_index("detector")["lead_lo"].to_dict())


def test_the_best_head_is_picked_among_heads_alone(rivals_run, rows):
    heads = contest(rivals_run, "bright", kind="head")
    assert set(heads["detector"]) == set(rows.index[(rows["kind"] == "head") & rows["auroc"].notna()])
    assert (heads["joint_hi"] - heads["joint_lo"] >= heads["hi"] - heads["lo"] - 1e-9).all()


def test_with_too_small_a_budget_nothing_is_best(rivals_run):
    dear = with_columns(rivals_run, "falsifier", cost=700.0)
    assert "For at most 10 forwards, nothing." in make("falsifier-front", dear, choose(rivals_run)).alt


def test_leads_are_the_tables(rivals_run):
    figure = make("falsifier-leads", rivals_run, choose(rivals_run))
    table = rivals_run.table("leads").sort_values("lead", ascending=False, kind="stable")
    assert [each.x[0] for each in figure.chart.data] == pytest.approx(table["lead"].tolist())
    for row in table.to_dict("records"):
        assert f"{row['title']}" in figure.alt
        assert format_estimate(row["lead"], row["lead_lo"], row["lead_hi"]) in figure.alt
    assert f"Lead of {len(table)} rivals over CFS" in figure.alt


def test_detectors_with_one_title_are_told_apart(rivals_run):
    named = titles(rivals_run)
    assert len(set(named.values())) == len(named)
    assert named["ddpm_ood"] == "DDPM-OOD (original levels)" and named["gepc_mbe"] == "GEPC (CFS paper's version)"
    assert named["cfs_1x2"] == "CFS(1x2)"
    found = detector_rows(rivals_run, "leads", "bright")
    assert found["title"].is_unique and "DiffPath-1D (CFS paper's version)" in set(found["title"])
    assert measured_detectors(rivals_run)["msma_mbe"] == "MSMA (CFS paper's version)"


def test_without_a_rival_there_are_no_leads(rivals_run):
    alone = changed(rivals_run, "leads", lambda table: table.iloc[:0])
    with pytest.raises(NotMeasuredError, match="No rival was measured"):
        make("falsifier-leads", alone, choose(rivals_run))
    assert len(make("falsifier-front", alone, choose(rivals_run)).rows)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_without_the_stage_says_what_to_run(kind, bare):
    with pytest.raises(NotMeasuredError, match=r"without the stage Falsifier\. `cfs-explore diagnose .*detectors`"):
        make(kind, bare, choose(bare))


# Triage by a measured detector


def scores_of(run, detector, role):
    table = run.table("detector_scores")
    return table[(table["detector"] == detector) & (table["network"] == "trained") & (table["role"] == role)]


def test_what_can_be_chosen_is_what_was_measured_beside_cfs(rivals_run, rows, bare):
    measured = rows["auroc"].notna() & (rows["kind"] != "cfs")
    assert list(measured_detectors(rivals_run)) == rows.index[measured].tolist()
    assert measured_detectors(bare) == {}


@pytest.mark.parametrize("detector", ["one_step_mbe", "head_mixture"])
def test_triage_by_a_measured_detector_is_of_its_sample(rivals_run, detector):
    choices = choose(rivals_run, detector=[detector], options={"rate": "20"})
    assert choices.measured == detector
    found = find(rivals_run, choices)
    of_id, of_ood = (scores_of(rivals_run, detector, role) for role in ("id_test", "ood"))
    np.testing.assert_array_equal(found.id_scores, of_id["score"])
    np.testing.assert_array_equal(found.table["score"], of_ood["score"])
    assert found.rows.tolist() == of_ood["row"].tolist() == np.linspace(0, 39, 12).round().astype(int).tolist()
    assert found.rule.threshold == alarm(of_id["score"].to_numpy(), 0.2).threshold
    figure = make("triage-scores", rivals_run, choices)
    title = titles(rivals_run)[detector]
    assert figure.caption.startswith(
        f"Scores by {title} of ID-test (solid) and bright (dashed), with the noise that it prescribes; "
    )
    n_id = rivals_run.id_test.count
    assert f"n = 12 of {n_id} ID, 12 of 40 OOD, a sample spread over both sets" in figure.caption
    shares = figure.rows["ood"].to_numpy() * 12
    np.testing.assert_allclose(shares, shares.round(), atol=1e-9)
    assert f"{int((of_ood['score'] > found.rule.threshold).sum())} image" in figure.alt


def test_a_stored_detector_reads_each_set(rivals_run):
    stored = Measured("One", "one_step_mbe")
    for role, name in (("id_test", None), ("ood", "bright")):
        table = scores_of(rivals_run, "one_step_mbe", role)
        np.testing.assert_array_equal(stored.scores(rivals_run, role, name), table["score"])
        np.testing.assert_array_equal(stored.rows(rivals_run, role, name), table["row"])


def test_an_unmeasured_detector_is_named_with_those_that_are(rivals_run):
    with pytest.raises(Exception, match=r"rivals has: .*CFS\(1x2\).*one_step_mbe"):
        choose(rivals_run, detector=["ddpm_ood"])
