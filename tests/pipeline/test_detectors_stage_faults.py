"""The stage of detectors ends early, meets what it cannot measure, or is asked for something else."""

import json
import shutil

import detector_runs
import numpy as np
import pandas as pd
import pytest
import torch
from detector_runs import NAMES, measure

from cfs_explore import detectors
from cfs_explore.backbones import load_backbone
from cfs_explore.errors import CFSError, RunCancelled, RunError, SpecError
from cfs_explore.pipeline import diagnose, explore
from cfs_explore.pipeline.detector_settings import set_detectors
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.stages import Study
from cfs_explore.store import open_run
from cfs_explore.studies import DIAGNOSTICS, Counts
from cfs_explore.studies.detectors import LEAST, MOST, allowed_forwards, budget_told, map_forwards

copied = detector_runs.copied  # a fixture
TABLES = DIAGNOSTICS["detectors"].table_names
#: Measured times, and what follows from the measured cost of a Jacobian-vector product.
TIMES = ["ms", "cost", "effective", "to_best", "to_best_lo", "to_best_hi", "best"]
#: With these, detectors of up to 8 forwards fit.
FEW = {"train": 8, "images": 4, "budget": 40.0}


@pytest.fixture(scope="module")
def few(copied, quick_run, tiny):
    """The quick run after the stage."""
    return measure(copied(quick_run, **FEW), tiny)


def same_tables(left, right, *, times=()):
    for name in TABLES:
        pair = [each.table(name).drop(columns=list(times), errors="ignore") for each in (left, right)]
        pd.testing.assert_frame_equal(*pair, check_exact=True)


def test_a_cancelled_stage_takes_what_it_kept(copied, quick_run, tiny, few, forwards):
    """Bit by bit, times too: they are kept beside the readings."""
    run, seen = copied(quick_run, **FEW), []

    def last_moment():
        return bool(seen) and seen[-1].detail.startswith("comparing")

    with pytest.raises(RunCancelled):
        measure(run, tiny, report=seen.append, cancelled=last_moment)
    assert sum(forwards) > 100 and "detectors" not in open_run(run.path).manifest.stages
    kept = shutil.copytree(run.path, run.path.parent / "again")
    forwards.clear()
    first, second = (measure(open_run(path), tiny) for path in (run.path, kept))
    assert sum(forwards) == 0
    same_tables(first, second)
    same_tables(first, few, times=TIMES)


def test_half_the_work_is_kept(copied, quick_run, tiny, few, forwards):
    run = copied(quick_run, **FEW)
    with pytest.raises(RunCancelled):
        measure(run, tiny, cancelled=lambda: sum(forwards) > 150)
    before = sum(forwards)
    again = measure(open_run(run.path), tiny)
    same_tables(again, few, times=TIMES)
    forwards.clear()
    measure(copied(quick_run, **FEW), tiny)
    assert before < sum(forwards) and not (again.path / "work").exists()


def test_other_numbers_of_images_take_nothing_that_was_kept_for_these(copied, quick_run, tiny, few):
    run = copied(quick_run, **{**FEW, "images": 6})
    with pytest.raises(RunCancelled):
        measure(run, tiny, cancelled=lambda: bool(list((run.path / "work" / "diagnose").rglob("id_test*.npz"))))
    set_detectors(run.path, FEW)
    same_tables(measure(open_run(run.path), tiny), few, times=TIMES)


def test_a_budget_that_has_no_room_for_cfs_skips_the_stage(copied, quick_run, tiny, forwards):
    run = measure(copied(quick_run, **{**FEW, "budget": 0.1}), tiny)
    entry = run.manifest.stages["detectors"]
    assert (
        entry.state == "skipped"
        and "nothing to compare with: It takes" in entry.why
        and "no room for them" in entry.why
    )
    assert not any(run.has_table(name) for name in TABLES)


def broken_at_high_noise(module, inputs, output):
    """NaN where the network is told a time beyond 900 of 1000: no level of CFS."""
    late = inputs[1] > 900
    return torch.where(late.reshape(-1, 1, 1, 1), torch.nan, output)


def test_a_network_that_gives_nan_costs_only_the_detectors_that_meet_it(copied, quick_run, tiny_folder):
    backbone = load_backbone(tiny_folder, device="cpu")
    backbone.module.register_forward_hook(broken_at_high_noise)
    run = measure(copied(quick_run, **{**FEW, "budget": 140.0}), backbone)
    rows = run.table("falsifier")
    trained = rows[rows["network"] == "trained"].set_index("detector")
    broken = trained.index[trained["note"].str.contains("not finite")]
    assert {"nll", "typicality", "dose"} <= set(broken) and trained.loc[broken, "auroc"].isna().all()
    assert trained.loc[["cfs_1x2", "cfs_dec_1x1", "head_mixture", "one_step_mbe"], "auroc"].notna().all()
    untrained = rows[rows["network"] == "untrained"].set_index("detector")
    assert untrained.loc[["nll", "typicality", "dose"], "auroc"].notna().all()
    assert set(run.table("leads")["detector"]).isdisjoint(broken)


class _NoForwardMode(torch.autograd.Function):
    """The identity, without a derivative in forward mode."""

    @staticmethod
    def forward(x):
        return x.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass


def test_a_backbone_without_derivatives_says_what_stands_for_them(copied, quick_run, tiny_folder, few):
    backbone = load_backbone(tiny_folder, device="cpu")
    backbone.module.register_forward_hook(lambda module, inputs, output: _NoForwardMode.apply(output))
    run = measure(copied(quick_run, **FEW), backbone)
    rows, usual = (each.table("falsifier").set_index(["detector", "network"]) for each in (run, few))
    for name in ("scoped", "scoped_single"):
        row = rows.loc[(name, "trained")]
        assert "Central differences of two forwards stand for a backward pass" in row["note"]
        assert row["jvps"] == 0 and row["cost"] == row["forwards"] == 2 * usual.loc[(name, "trained"), "forwards"]
        assert "Central" not in rows.loc[(name, "untrained"), "note"] and rows.loc[(name, "untrained"), "jvps"] > 0
    others = usual.index[usual["auroc"].notna() & ~usual.index.get_level_values(0).str.startswith("scoped")]
    pd.testing.assert_series_equal(rows.loc[others, "auroc"], usual.loc[others, "auroc"])


def test_notes_of_what_the_fit_found_are_there(copied, quick_run, tiny, few, monkeypatch):
    """SCOPED's floor is known after the fit."""
    monkeypatch.setattr("cfs_explore.detectors.scoped.FLOOR", 0.9)
    rows = measure(copied(quick_run, **FEW), tiny).table("falsifier").set_index(["detector", "network"])
    assert "trace is below its floor" in rows.loc[("scoped_single", "trained"), "note"]
    assert np.isfinite(rows.loc[("scoped_single", "trained"), "auroc"])


def test_scores_that_are_not_finite_are_a_reason(copied, quick_run, tiny, few, monkeypatch):
    original = detectors.OneStep.score
    monkeypatch.setattr(detectors.OneStep, "score", lambda self, z: original(self, z) + np.inf)
    run = measure(copied(quick_run, **FEW), tiny)
    rows = run.table("falsifier").set_index(["detector", "network"])
    assert "The scores of id_test must be finite. 4 of 4" in rows.loc[("one_step_mbe", "trained"), "note"]
    usual = few.table("falsifier").set_index(["detector", "network"])
    others = [name for name in NAMES if name != "one_step_mbe"]
    pd.testing.assert_series_equal(rows.loc[others, "auroc"], usual.loc[others, "auroc"])


# Settings


def test_five_copies_are_measured_and_their_spread_is_in_the_table(copied, quick_run, tiny):
    """Each copy has rows and scores of its own, and the first is the one that is measured alone."""
    run = measure(copied(quick_run, train=8, images=4, budget=16.0, copies=3), tiny)
    rows = run.table("falsifier")
    own = rows[(rows["detector"] == "one_step_mbe") & rows["auroc"].notna()]
    copies, trained = own[own["network"] == "untrained"], own[own["network"] == "trained"].iloc[0]
    assert copies["copy"].tolist() == [0, 1, 2] and trained["copies"] == 3
    assert trained["untrained"] == pytest.approx(copies["auroc"].mean())
    assert trained["to_untrained"] == pytest.approx(trained["auroc"] - copies["auroc"].mean())
    scores = run.table("detector_scores").query("detector == 'one_step_mbe' and role == 'ood'")
    of_copy = scores[scores["network"] == "untrained"].groupby("copy")["score"].agg(tuple)
    assert len(of_copy) == 3 == len(set(of_copy))
    assert not scores.duplicated(["network", "copy", "image_id"]).any()
    alone = measure(copied(quick_run, train=8, images=4, budget=16.0), tiny).table("falsifier")
    first = alone.query("detector == 'one_step_mbe' and network == 'untrained'").iloc[0]
    assert copies.iloc[0]["auroc"] == first["auroc"]


def test_copies_count_in_the_budget(copied, quick_run, tiny):
    one, three = (
        measure(copied(quick_run, train=8, images=4, budget=12.0, copies=copies), tiny).table("falsifier")
        for copies in (1, 3)
    )
    left = [rows[rows["network"] == "trained"].set_index("detector")["needed"] for rows in (one, three)]
    assert left[1].notna().sum() > left[0].notna().sum()
    both = left[0].notna() & left[1].notna()
    assert (left[1][both] > left[0][both]).all()


def test_a_small_run_takes_what_a_minute_has_room_for():
    """The largest of 3 times the map, and so many forwards; a budget that is given is kept to."""
    counts = Counts(24, 16, (40,), 8, 1, 9.0)
    assert map_forwards(counts) == 640 and allowed_forwards(counts) == LEAST
    assert allowed_forwards(counts._replace(seconds_per_forward=0.003)) == 20_000
    assert allowed_forwards(counts._replace(seconds_per_forward=0.5)) == 3 * 640
    assert allowed_forwards(counts._replace(seconds_per_forward=1e-5)) == MOST
    assert allowed_forwards(counts._replace(seconds_per_forward=0.003, budget=2.5)) == 1600
    said = budget_told(counts._replace(seconds_per_forward=0.003))
    assert said == "at most 20,000 forwards, a minute's or less, which is more than 3 times the map's (31.25 times)"
    assert budget_told(counts) == "at most 20,000 forwards, which is more than 3 times the map's (31.25 times)"
    large = Counts(10_000, 2000, (500,), 8, 5, 9.0, seconds_per_forward=0.003)
    assert budget_told(large) == "at most 1,500,000 forwards, 3 times the map's"


def test_trajectories_are_measured_without_a_budget_and_an_old_default_of_the_same_work_stands(
    copied, quick_run, tiny, forwards
):
    path = copied(quick_run, train=8, images=4).path / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"seconds_per_forward": 0.006}))
    run = open_run(path.parent)
    assert run.counts.budget is None and allowed_forwards(run.counts) == 10_000
    run = measure(run, tiny)
    rows = run.table("falsifier").query("network == 'trained'")
    assert rows.loc[rows["trajectory"] & rows["auroc"].notna(), "detector"].nunique() >= 12
    allowed = allowed_forwards(run.counts)
    manifest = json.loads((run.path / "manifest.json").read_text())
    manifest["spec"]["detectors"]["budget"] = allowed / map_forwards(run.counts) + 1e-9
    (run.path / "manifest.json").write_text(json.dumps(manifest))
    forwards.clear()
    measure(open_run(run.path), tiny)
    assert sum(forwards) == 0


def test_settings_are_those_of_the_spec(copied, quick_run, few):
    run = copied(quick_run)
    study = Study(run, Progress())
    assert (study.spec.detectors.train, study.spec.detectors.images) == (256, 128)
    set_detectors(run.path, FEW)
    set_detectors(run.path, {"images": 5})
    assert (set_to := Study(run, Progress()).spec.detectors).train == 8 and set_to.images == 5
    before = (run.path / "spec.yaml").read_bytes()
    for wrong, error in (({"images": 1}, SpecError), ({"background": "no such run"}, RunError)):
        with pytest.raises(error, match=r"images|no such run"):
            set_detectors(run.path, wrong)
    assert (run.path / "spec.yaml").read_bytes() == before
    rows = few.table("falsifier")
    assert set(zip(rows["n_train"], rows["n_id"], rows["n_ood"], strict=True)) == {(8, 4, 4)}


def test_other_settings_are_measured_and_go_on_where_they_were_stopped(copied, few, tiny, forwards):
    """Of a run that has its tables: a stop in between drops neither them nor what was read since."""
    run = copied(few, budget=41.0)
    with pytest.raises(RunCancelled):
        measure(run, tiny, cancelled=lambda: sum(forwards) > 150)
    same_tables(open_run(run.path), few)
    before = sum(forwards)
    same_tables(measure(open_run(run.path), tiny), few, times=[*TIMES, "note"])  # which names the budget
    whole, again = sum(forwards), copied(few, budget=41.0)
    forwards.clear()
    measure(again, tiny)
    assert sum(forwards) > whole - before


def test_settings_that_cannot_be_measured_leave_the_tables(copied, few, tiny):
    run = copied(few, budget=0.1)
    with pytest.raises(CFSError, match=r"no room for them.* The tables that were made before are still there"):
        measure(run, tiny)
    same_tables(open_run(run.path), few)
    assert open_run(run.path).manifest.stages == few.manifest.stages


def test_a_spec_that_asks_for_other_detectors_is_of_the_same_run(quick_spec, tmp_path, forwards):
    """They read how many images they like; the map stays."""
    spec = quick_spec | {"detectors": FEW}
    explore(spec, tmp_path, device="cpu")
    forwards.clear()
    again = explore(quick_spec | {"detectors": {**FEW, "images": 6}}, tmp_path, device="cpu")
    assert sum(forwards) == 0 and again.counts == open_run(tmp_path).counts


def test_fresh_measures_again(copied, few, tiny_folder):
    run = copied(few)
    assert diagnose(run, ["detectors"], device="cpu").manifest.stages == run.manifest.stages
    same_tables(diagnose(run, ["detectors"], fresh=True, device="cpu"), few, times=TIMES)
