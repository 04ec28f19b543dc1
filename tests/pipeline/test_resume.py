"""Stopped anywhere and started again, a run ends with the tables of an uninterrupted one."""

import errno
import subprocess
import sys
import time

import numpy as np
import pytest

from cfs_explore import jobs
from cfs_explore.errors import CFSError, RunCancelled, RunError
from cfs_explore.pipeline import explore
from cfs_explore.spec import RunSpec
from cfs_explore.store import SetWork

pytestmark = pytest.mark.slow


class Killed(BaseException):
    """Stands for a kill: nothing in the project may catch it."""


@pytest.fixture(scope="module")
def many_shards(spec) -> dict:
    return spec | {"shard_size": 4, "batch_size": 8, "ood": spec["ood"][:2]}


@pytest.fixture(scope="module")
def uninterrupted(many_shards, tmp_path_factory):
    return explore(many_shards, tmp_path_factory.mktemp("uninterrupted") / "run", device="cpu")


def kill_at(moment: str):
    """A report callback that kills the run at a moment "stage:count" of events."""
    stage, count = moment.split(":")
    seen = {}

    def report(event):
        seen[event.stage] = seen.get(event.stage, 0) + 1
        if event.stage == stage and seen[stage] == int(count):
            raise Killed

    return report


@pytest.mark.parametrize(
    "moment",
    [
        "loading:2",
        "preparing:9",
        "preparing:41",
        "measuring:1",
        "measuring:8",
        "measuring:20",
        "saving:2",
        "tabulating:2",
    ],
)
def test_killed_once(many_shards, uninterrupted, tmp_path, assert_same_tables, moment):
    with pytest.raises(Killed):
        explore(many_shards, tmp_path, device="cpu", report=kill_at(moment))
    assert not (tmp_path / "manifest.json").exists()
    assert_same_tables(explore(many_shards, tmp_path, device="cpu"), uninterrupted)
    assert not (tmp_path / "work").exists()


def test_killed_again_and_again(many_shards, uninterrupted, tmp_path, assert_same_tables):
    kills = 0
    for _ in range(60):
        try:
            run = explore(many_shards, tmp_path, device="cpu", report=kill_at("measuring:7"))
            break
        except Killed:
            kills += 1
    assert kills >= 3
    assert_same_tables(run, uninterrupted)


def test_finished_shards_are_not_measured_again(many_shards, tmp_path, forwards, shards_done):
    with pytest.raises(Killed):
        explore(many_shards, tmp_path, device="cpu", report=kill_at("measuring:20"))
    done = shards_done(tmp_path)
    assert done["id-train"] == 6 and 0 < done["id-test"] + done["ood-00"] < 6
    forwards.clear()
    totals = []
    explore(many_shards, tmp_path, device="cpu", report=lambda e: totals.append(e) if e.stage == "measuring" else None)
    left = 24 + 12 + 11 + 5 - 4 * sum(done.values())
    probe = 24 * 2  # sparse_ed_id chooses its taps again
    assert sum(forwards) == left * 2 * 2 + probe
    assert totals[0].done == totals[0].total - left * 4 and totals[-1].done == totals[-1].total


def test_killed_between_a_shard_and_its_moments(many_shards, uninterrupted, tmp_path, monkeypatch, assert_same_tables):
    """The shard is there but does not count yet: it is repeated, never added twice."""
    original, count = SetWork.finish_shard, 0

    def finish_shard(self, index, arrays, moments):
        nonlocal count
        count += 1
        if count == 3:
            with monkeypatch.context() as patch:
                patch.setattr("cfs_explore.store.work.save_arrays", save_then_die)
                original(self, index, arrays, moments)
        original(self, index, arrays, moments)

    def save_then_die(path, arrays):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            np.savez(file, **arrays)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(SetWork, "finish_shard", finish_shard)
        with pytest.raises(Killed):
            explore(many_shards, tmp_path, device="cpu")
    assert (tmp_path / "work" / "id-train" / "shards" / "000002.npz").exists()
    assert_same_tables(explore(many_shards, tmp_path, device="cpu"), uninterrupted)


def test_sigkill_of_a_real_process(spec, tmp_path, assert_same_tables):
    """``python -m cfs_explore run`` killed by the system while it measures, then resumed by the job runner."""
    slow = spec | {"shard_size": 2, "batch_size": 1}
    run = jobs.create_at(tmp_path / "killed", RunSpec.parse(slow))
    process = subprocess.Popen([sys.executable, "-m", "cfs_explore", "run", str(run)], stderr=subprocess.DEVNULL)
    started, work = time.monotonic(), SetWork(run / "work" / "id-test")
    while work.shards_done() < 2:
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() - started < 120
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert 2 <= work.shards_done() < 6
    status = jobs.read_status(run)
    assert status.state == "failed" and "Start it again" in status.error

    jobs.start(run)
    while (status := jobs.read_status(run)).state not in jobs.FINAL:
        assert time.monotonic() - started < 240
        time.sleep(0.1)
    assert status.state == "finished", (run / "log.txt").read_text()
    whole = explore(slow, tmp_path / "whole", device="cpu")
    resumed = explore(slow, run, device="cpu")  # finished: only opened
    assert_same_tables(resumed, whole)


@pytest.mark.parametrize("stage", ["preparing", "measuring", "tabulating"])
def test_cancelled_and_started_again(many_shards, uninterrupted, tmp_path, assert_same_tables, stage):
    stages = []
    with pytest.raises(RunCancelled, match="start it again"):
        explore(
            many_shards,
            tmp_path,
            device="cpu",
            report=lambda event: stages.append(event.stage),
            cancelled=lambda: stages.count(stage) > 4 or (stage == "tabulating" and stage in stages),
        )
    assert_same_tables(explore(many_shards, tmp_path, device="cpu"), uninterrupted)


@pytest.mark.parametrize("victim", ["000001.npz", "moments.npz", "images.parquet", "scores.zarr", "auroc_map.parquet"])
def test_disk_full(many_shards, uninterrupted, tmp_path, monkeypatch, assert_same_tables, victim):
    import os

    real, fails = os.replace, [True, True]

    def replace(source, target):
        if str(target).endswith(victim) and fails:
            fails.pop()
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    for _ in range(2):
        with pytest.raises(RunError, match=r"disk is full.*Everything finished so far is kept.*start the run again"):
            explore(many_shards, tmp_path, device="cpu")
        assert not list(tmp_path.rglob("*.partial"))
    assert_same_tables(explore(many_shards, tmp_path, device="cpu"), uninterrupted)


def test_disk_full_while_preparing(many_shards, tmp_path, monkeypatch):
    def write(_file, _array):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("cfs_explore.images.prepare._write_input", write)
        with pytest.raises(CFSError, match="disk full"):
            explore(many_shards, tmp_path, device="cpu")
    assert explore(many_shards, tmp_path, device="cpu").entry("id_train").count == 24


def test_a_directory_of_another_spec_is_refused(quick_spec, quick_run, tmp_path):
    with pytest.raises(RunError, match="holds a run with another spec"):
        explore(quick_spec | {"draws": 2}, quick_run.path)
    half = tmp_path / "half"
    with pytest.raises(Killed):
        explore(quick_spec, half, device="cpu", report=kill_at("measuring:2"))
    with pytest.raises(RunError, match="holds a run with another spec"):
        explore(quick_spec | {"draws": 2}, half)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(RunError, match=r"without its spec\.yaml"):
        explore(quick_spec, tmp_path)


def test_a_mistake_in_the_spec_can_be_mended_in_place(quick_spec, tmp_path):
    """Nothing was measured yet, so nothing stands in the way of the corrected spec."""
    wrong = quick_spec | {"id": {"train": {"name": "ramps", "source": "/no/such/set.zip"}}}
    with pytest.raises(CFSError, match="does not exist"):
        explore(wrong, tmp_path, device="cpu")
    assert explore(quick_spec, tmp_path, device="cpu").ood_names == ["bright"]
