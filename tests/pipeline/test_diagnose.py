"""All stages after a map: killed in each of them and started again, they end with the same tables."""

import shutil
import sys

import pandas as pd
import pytest

from cfs_explore.errors import CFSError
from cfs_explore.pipeline import diagnose, explore
from cfs_explore.store import open_run
from cfs_explore.studies import DIAGNOSTICS

TABLES = [table for stage in DIAGNOSTICS.values() for table in stage.table_names]
#: Measured times and what tells when, which no two attempts share; and what hangs on the measured cost of a
#: Jacobian-vector product.
TIMES = ["ms", "ms_lo", "ms_hi", "repeats", "seal", "sealed_at", "opened_at", "refused"]
OF_COST = {"falsifier": ["cost", "effective", "to_best", "to_best_lo", "to_best_hi", "best"]}


class Killed(BaseException):
    """Stands for a kill: nothing in the project may catch it."""


@pytest.fixture(scope="module")
def whole_spec(spec, kept_training) -> dict:
    """Of a network whose training kept weights."""
    of = {"backbone": str(kept_training)}
    return spec | of | {"diagnostics": "all", "ood": spec["ood"][:1], "taps": "sparse_ed", "detectors": {"budget": 3}}


@pytest.fixture(scope="module")
def uninterrupted(whole_spec, tmp_path_factory):
    return explore(whole_spec, tmp_path_factory.mktemp("whole") / "run", device="cpu")


def test_a_new_run_has_every_table(uninterrupted):
    assert {name: entry.state for name, entry in uninterrupted.manifest.stages.items()} == dict.fromkeys(
        DIAGNOSTICS, "done"
    )
    for table in TABLES:
        assert len(uninterrupted.table(table).columns) > 3, table
    assert not (uninterrupted.path / "work").exists()


def test_killed_in_each_stage(whole_spec, uninterrupted, tmp_path):
    """One run, killed in one stage after the other, which takes a fraction of the time of a run for each."""
    long = ["stability", "sharing", "prediction", "controls", "ablation", "levels", "alignment", "conditioning"]
    left = [name for name in DIAGNOSTICS if name in (*long, "detectors", "training")]
    titles = {DIAGNOSTICS[name].title.lower(): name for name in left}
    seen = dict.fromkeys(left, 0)

    def report(event):
        name = titles.get(event.stage)
        if name in left:
            seen[name] += 1
            if seen[name] == 4:
                left.remove(name)
                raise Killed

    for _ in range(len(seen)):
        with pytest.raises(Killed):
            explore(whole_spec, tmp_path, device="cpu", report=report)
        assert (tmp_path / "manifest.json").exists()  # the map can be looked at already
    assert left == [] and set(seen.values()) == {4}
    run = explore(whole_spec, tmp_path, device="cpu", report=report)
    assert set(run.manifest.stages) == set(DIAGNOSTICS)
    for table in TABLES:
        pair = (
            each.table(table).drop(columns=[*TIMES, *OF_COST.get(table, [])], errors="ignore")
            for each in (run, uninterrupted)
        )
        pd.testing.assert_frame_equal(*pair, check_exact=False, rtol=1e-6)


def test_fresh_computes_again_and_gives_the_same(uninterrupted):
    before = {name: uninterrupted.table(name) for name in DIAGNOSTICS["separation"].table_names}
    again = diagnose(uninterrupted, ["separation"], fresh=True, device="cpu")
    for name, table in before.items():
        pd.testing.assert_frame_equal(again.table(name), table)


def test_a_stage_keeps_what_another_had_begun(quick_run, tmp_path):
    """Hours of readings of a stage that was stopped are not lost to a stage that takes seconds."""
    path = shutil.copytree(quick_run.path, tmp_path / "run")
    kept = path / "work" / "diagnose"
    for piece in ("detectors/trained/a.npz", "separation/b.npz", "other/c.npz"):
        (kept / piece).parent.mkdir(parents=True)
        (kept / piece).touch()
    run = diagnose(path, ["separation"], device="cpu")
    assert "separation" in run.manifest.stages
    assert [each for each in (path / "work").rglob("*") if each.is_file()] == [kept / "detectors" / "trained" / "a.npz"]
    shutil.rmtree(kept / "detectors")
    diagnose(path, ["separation"], device="cpu")
    assert not (path / "work").exists()


def test_a_done_stage_that_cannot_be_computed_again_keeps_its_tables(quick_run, tmp_path, monkeypatch):
    """Any stage; the others are computed, and a stage that was never done is noted with its reason as before."""
    path = shutil.copytree(quick_run.path, tmp_path / "run")
    before = diagnose(path, ["separation"], device="cpu")
    table = before.table("separation")
    module = sys.modules[diagnose.__module__]  # the package's attribute of that name is the function
    real = module.compute_of

    def broken(stage):
        def fail(study):
            raise CFSError(f"no {stage.name} today.")

        return fail if stage.name in ("separation", "levels") else real(stage)

    monkeypatch.setattr(module, "compute_of", broken)
    with pytest.raises(CFSError, match=r"^Separation: no separation today\. The tables .* are still there\.$"):
        diagnose(path, ["separation", "complementarity", "levels"], fresh=True, device="cpu")
    after = open_run(path)
    pd.testing.assert_frame_equal(after.table("separation"), table)
    assert after.manifest.stages["separation"] == before.manifest.stages["separation"]
    assert after.manifest.stages["complementarity"].state == "done"
    assert after.manifest.stages["levels"].why == "no levels today."
