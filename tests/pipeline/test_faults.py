"""Kills, clocks, read-only folders and second apps: nothing is lost, everything goes on, one clear error."""

import errno
import json
import os
import shutil
import time
from dataclasses import asdict

import filelock
import pandas as pd
import psutil
import pytest

from cfs_explore import jobs
from cfs_explore.errors import RunError
from cfs_explore.explorations import bundles
from cfs_explore.jobs import control, queue
from cfs_explore.jobs import status as status_module
from cfs_explore.locations import runs_root
from cfs_explore.pipeline import diagnose, explore
from cfs_explore.spec import RunSpec
from cfs_explore.store import Manifest, files, open_run
from cfs_explore.store.digests import file_digests
from cfs_explore.studies import DIAGNOSTICS


class Killed(BaseException):
    """Stands for a kill."""


@pytest.fixture
def runs(monkeypatch, tmp_path):
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def kill_before(monkeypatch):
    """End the program right before a file of this name takes its place."""
    real = os.replace

    def arm(name: str, times: int = 1):
        left = [times]

        def replace(source, target):
            if str(target).endswith(name) and left[0]:
                left[0] -= 1
                raise Killed
            real(source, target)

        monkeypatch.setattr(os, "replace", replace)

    return arm


@pytest.mark.parametrize(
    "moment", ["images.parquet", "scores.zarr", "moments.zarr", "skipped.parquet", "auroc_map.parquet", "manifest.json"]
)
def test_killed_while_saving(moment, quick_spec, quick_run, tmp_path, kill_before, assert_same_tables):
    kill_before(moment)
    with pytest.raises(Killed):
        explore(quick_spec, tmp_path / "run", device="cpu")
    run = explore(quick_spec, tmp_path / "run", device="cpu")
    assert_same_tables(run, quick_run)
    assert run.manifest.files == file_digests(run.path) and not list(run.path.rglob("*.partial"))


@pytest.fixture(scope="module")
def diagnosed(finished, tmp_path_factory):
    """The finished run with the diagnostics that need no forwards."""
    run = shutil.copytree(finished.path, tmp_path_factory.mktemp("diagnosed") / "run")
    return diagnose(run, ["separation", "complementarity", "stability"])


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize(
    ("stage", "moment"),
    [
        (stage, moment)
        for stage in ("separation", "complementarity", "stability")
        for moment in (
            f"{DIAGNOSTICS[stage].table_names[0]}.parquet",
            f"{DIAGNOSTICS[stage].table_names[-1]}.parquet",
            "manifest.json",
        )
    ],
)
def test_killed_in_a_stage(stage, moment, fresh, finished, diagnosed, tmp_path, kill_before):
    """Of a stage that is computed for the first time, or again."""
    run = tmp_path / "run"
    shutil.copytree(diagnosed.path if fresh else finished.path, run)
    kill_before(moment, 2 if moment == "manifest.json" and fresh else 1)
    for _ in range(2 if moment == "manifest.json" and fresh else 1):
        with pytest.raises(Killed):
            diagnose(run, stage, fresh=fresh)
    open_run(run).table("auroc_map")
    again = diagnose(run, stage)
    assert again.manifest.stages[stage].state == "done" and again.manifest.files == file_digests(run)
    for table in DIAGNOSTICS[stage].table_names:
        pd.testing.assert_frame_equal(again.table(table), diagnosed.table(table))


def test_killed_while_it_is_imported_or_deleted(quick_run, runs, tmp_path, monkeypatch):
    bundles.export(quick_run.path, tmp_path / "a.zip")
    with monkeypatch.context() as patch:
        patch.setattr("cfs_explore.store.bundle.check_run", lambda run: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            bundles.import_zip(tmp_path / "a.zip", trusted=True)
    assert not list(runs.glob("*/manifest.json"))
    run = bundles.import_zip(tmp_path / "a.zip", trusted=True)
    with monkeypatch.context() as patch:
        patch.setattr(control.shutil, "rmtree", lambda *_, **__: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            jobs.delete(run)
    assert not run.exists() and jobs.disk_used(runs_root()) > 1000  # out of sight, still on the disk
    jobs.recover()
    assert jobs.disk_used(runs_root()) == 0


def test_killed_while_figures_are_written(tmp_path, kill_before):
    from cfs_explore.figures.folder import _put

    _put(tmp_path / "a.csv", b"before")
    kill_before("a.csv")
    with pytest.raises(Killed):
        _put(tmp_path / "a.csv", b"after")
    assert (tmp_path / "a.csv").read_bytes() == b"before" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("moment", ["inputs.npy", "rows.parquet", "000000.npz", "scores.zarr", "manifest.json"])
def test_a_folder_that_turns_read_only(moment, quick_spec, quick_run, tmp_path, monkeypatch, assert_same_tables):
    real = os.replace

    def replace(source, target):
        if str(target).endswith(moment):
            raise OSError(errno.EROFS, "Read-only file system")
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(RunError, match=r"could not take .*(read-only|Read-only|right to write)"):
            explore(quick_spec, tmp_path / "run", device="cpu")
    assert_same_tables(explore(quick_spec, tmp_path / "run", device="cpu"), quick_run)


def test_a_run_that_may_not_be_deleted(quick_spec, runs, monkeypatch):
    run = jobs.create(RunSpec.parse(quick_spec))
    monkeypatch.setattr(type(run), "rename", lambda *_: (_ for _ in ()).throw(OSError(errno.EROFS, "Read-only")))
    with pytest.raises(RunError, match=r"could not be deleted \(Read-only\)"):
        jobs.delete(run)
    assert (run / "spec.yaml").is_file()


def test_files_are_flushed_before_they_count(tmp_path, monkeypatch):
    order, fsync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda number: order.append("flush") or fsync(number))
    monkeypatch.setattr(os, "replace", lambda a, b: order.append("rename") or replace(a, b))
    files.write_json(tmp_path / "x.json", {})
    assert order == ["flush", "rename", "flush"]  # the file, its name, the folder
    with files.write_aside(tmp_path / "folder") as partial:
        (partial / "deep").mkdir(parents=True)
        (partial / "deep" / "a").write_text("a")
    assert order[3:] == ["flush"] * 3 + ["rename", "flush"]
    files.write_json(tmp_path / "status.json", {}, flush=False)
    assert order[8:] == ["rename"]


def write_status(run, **facts):
    status = jobs.Status(**({"state": "running", "started": time.time()} | facts))
    (run / "status.json").write_text(json.dumps(asdict(status)))


@pytest.mark.parametrize("step", [-7200.0, 7200.0])
def test_a_clock_that_is_set_does_not_end_a_worker(step, quick_spec, runs, monkeypatch):
    """The system tells a process's beginning by the clock as it is now; a worker noted it by the clock as it was."""
    run = jobs.create(RunSpec.parse(quick_spec))
    write_status(run, pid=os.getpid(), born=status_module.birth(os.getpid()))
    created, booted, now = psutil.Process.create_time, psutil.boot_time, time.time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: created(self) + step)
    monkeypatch.setattr(psutil, "boot_time", lambda: booted() + step)
    monkeypatch.setattr(time, "time", lambda: now() + step)
    assert jobs.is_alive(jobs.read_status(run)) and jobs.recover() == []
    with pytest.raises(RunError, match="Cancel it first"):
        jobs.delete(run)
    write_status(run, state="starting", started=now() - step)  # and one that never got a number is given up
    assert jobs.read_status(run).state == "failed"


def test_who_came_later_waits_behind_also_when_the_clock_is_set_back(runs, monkeypatch):
    first = queue._enter(["cpu"])
    monkeypatch.setattr(time, "time_ns", lambda: 10**18)
    second = queue._enter(["cpu"])
    assert queue._ahead(second, ["cpu"]) == [first] and queue._ahead(first, ["cpu"]) == []


def test_a_worker_of_another_app_is_left_alone(quick_spec, runs, monkeypatch):
    """In another container its number means nothing here; that it holds the run does."""
    run = jobs.create(RunSpec.parse(quick_spec))
    write_status(run, pid=2**22 - 3)
    monkeypatch.setattr(control.subprocess, "Popen", lambda *a, **k: pytest.fail("a second worker was started"))
    with filelock.FileLock(run / "worker.lock"):
        assert jobs.read_status(run).state == "running" and jobs.recover() == []
        jobs.start(run)
        with pytest.raises(RunError, match="Cancel it first"):
            jobs.delete(run)
        jobs.cancel(run, patience=0.2)
        assert (run / "cancel").exists() and jobs.read_status(run).state == "running"
    assert jobs.read_status(run).state == "failed"


def test_two_apps_that_start_start_one_worker(quick_spec, runs, monkeypatch):
    run = jobs.create(RunSpec.parse(quick_spec))
    write_status(run, pid=2**22 - 3)
    started = []

    class Process:
        pid = os.getpid()

        def __init__(self, *arguments, **options):
            started.append(arguments)

        def wait(self):
            """It stands for one that ends at once."""

    monkeypatch.setattr(control.subprocess, "Popen", Process)
    monkeypatch.setattr(control, "_step_back", lambda pid: None)
    assert jobs.recover() == [run] and jobs.recover() == []
    jobs.start(run)
    assert len(started) == 1


def test_a_damaged_status_does_not_keep_a_run_from_being_deleted(quick_spec, runs):
    run = jobs.create(RunSpec.parse(quick_spec))
    (run / "status.json").write_text("{")
    jobs.delete(run)
    assert not run.exists()


def test_the_runs_folder_moves_while_it_is_shown(quick_run, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(quick_run.path, home / "run")
    run = open_run(home / "run")
    home.rename(tmp_path / "moved")
    with pytest.raises(RunError, match="as is the whole folder"):
        run.scores("id_test")
    with pytest.raises(RunError, match=r"has no manifest\.json"):
        Manifest.read(home / "run")
    moved = open_run(tmp_path / "moved" / "run")
    assert moved.scores("id_test").shape[0] == moved.id_test.count
