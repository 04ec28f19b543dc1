"""What an installation needs of its runs: start again after a crash, delete, tail of the log, room on the disk."""

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict

import filelock
import psutil
import pytest

from cfs_explore import jobs
from cfs_explore.errors import RunError
from cfs_explore.jobs import control
from cfs_explore.jobs import status as status_module
from cfs_explore.locations import runs_root
from cfs_explore.spec import RunSpec


@pytest.fixture(autouse=True)
def _own_runs(monkeypatch, tmp_path):
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path / "runs"))
    for name in ("MAX_RUNS", "MAX_DISK_GB"):
        monkeypatch.delenv(f"CFS_EXPLORE_{name}", raising=False)


@pytest.fixture
def run(quick_spec):
    return jobs.create(RunSpec.parse(quick_spec))


@pytest.fixture
def dead_pid():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def write_status(run, **facts):
    status = jobs.Status(**({"state": "running", "started": time.time()} | facts))
    (run / "status.json").write_text(json.dumps(asdict(status)))


def test_a_run_goes_on_after_a_crash(run, dead_pid):
    write_status(run, pid=dead_pid)
    assert jobs.recover() == [run]
    deadline = time.monotonic() + 240
    while (status := jobs.read_status(run)).state not in jobs.FINAL:
        assert status.restarts == 1
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert status.state == "finished", jobs.log_tail(run)
    assert status.restarts == 0  # it reached its end: a later crash counts anew
    assert jobs.recover() == []


def test_diagnostics_that_were_asked_for_alone_go_on_alone(run, dead_pid, monkeypatch):
    started = []
    monkeypatch.setattr(control, "start", lambda *task, restarts, keep: started.append((*task, restarts, keep)))
    write_status(run, pid=dead_pid, stages="stability,controls", restarts=1)
    jobs.recover()
    (run / "keep").touch()  # "Stop here and keep this map" outlives a crash
    jobs.recover()
    assert started == [(run, ["stability", "controls"], 2, keep) for keep in (False, True)]


@pytest.mark.parametrize(
    "facts",
    [
        {"state": "failed"},
        {"state": "cancelled"},
        {"state": "finished"},
        {"pid": os.getpid(), "started": time.time() + 1},
        {"restarts": 3},
    ],
)
def test_what_ended_lives_or_died_too_often_is_left_alone(run, dead_pid, monkeypatch, facts):
    monkeypatch.setattr(control, "start", lambda *task, **more: pytest.fail("it was started"))
    write_status(run, **{"pid": dead_pid} | facts)
    assert jobs.recover() == []


def test_a_damaged_status_keeps_no_other_run_from_going_on(run, quick_spec, dead_pid, monkeypatch):
    monkeypatch.setattr(control, "start", lambda *task, **more: None)
    (runs_root() / "broken").mkdir()
    (runs_root() / "broken" / "status.json").write_text("{")
    write_status(run, pid=dead_pid)
    assert jobs.recover() == [run]


def test_a_worker_that_never_got_a_number_is_given_up(run):
    write_status(run, state="starting")
    assert jobs.read_status(run).state == "starting"
    write_status(run, state="starting", started=time.time() - 3600)
    assert jobs.read_status(run).state == "failed"


def test_delete(run):
    (run / "work" / "deep").mkdir(parents=True)
    (run / "work" / "deep" / "shard.npz").write_bytes(b"x" * 1000)
    jobs.delete(run)
    assert not run.exists()
    assert jobs.disk_used(runs_root()) == 0


def test_a_run_at_work_is_not_deleted(run):
    write_status(run, pid=os.getpid())
    with pytest.raises(RunError, match="Cancel it first"):
        jobs.delete(run)
    assert (run / "spec.yaml").is_file()


@pytest.mark.parametrize("status", [None, {"state": "finished"}, {"pid": 2**22 + 1}])
def test_a_run_whose_lock_a_worker_holds_is_not_deleted(run, status):
    """Whatever its status says: it may be written late, damaged, or by another clock."""
    if status is not None:
        write_status(run, **status)
    with filelock.FileLock(run / "worker.lock"):
        with pytest.raises(RunError, match="Cancel it first"):
            jobs.delete(run)
        assert (run / "spec.yaml").is_file()
    jobs.delete(run)
    assert not run.exists()


def test_two_apps_delete_the_same_run(run, monkeypatch):
    """The second one finds it gone, as it wished."""
    rename = type(run).rename

    def late(path, aside):
        rename(path, path.with_name("aside-of-the-other"))
        rename(path, aside)

    monkeypatch.setattr(type(run), "rename", late)
    jobs.delete(run)
    assert not run.exists()


def test_a_start_and_a_delete_of_two_apps_do_not_meet(run, monkeypatch):
    """Whichever comes first: a run that is being started is not deleted, one that is gone is not started."""
    monkeypatch.setattr(control, "_step_back", lambda pid: None)

    refusals = []
    other = threading.Thread(target=lambda: refusals.append(_refusal_of(jobs.delete, run)))

    def launch(*_arguments, **_options):
        other.start()  # it waits for the start to end
        return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])

    monkeypatch.setattr(control, "launch", launch)
    jobs.start(run)
    other.join()
    assert "Cancel it first" in refusals[0] and (run / "spec.yaml").is_file()
    jobs.cancel(run, patience=0.2)
    jobs.delete(run)
    with pytest.raises(RunError, match="not there any more"):
        jobs.start(run)


def _refusal_of(what, run) -> str:
    try:
        what(run)
    except RunError as error:
        return str(error)
    return ""


def test_nothing_else_is_ever_deleted(run, tmp_path):
    outside = tmp_path / "precious"
    outside.mkdir()
    (runs_root() / "link").symlink_to(outside)
    (runs_root() / ".queue").mkdir()
    for path in (outside, runs_root(), runs_root() / "link", runs_root() / ".queue", run / "..", run / "spec.yaml"):
        with pytest.raises(RunError, match="is not a run in"):
            jobs.delete(path)
    assert outside.is_dir() and run.is_dir()


def test_the_tail_of_the_log_is_harmless(run):
    assert jobs.log_tail(run) == ""
    (run / "log.txt").write_bytes(b"old\n" * 50_000 + b"10%\r20%\r\x1b[31mred\x1b[0m\n\n<b>bold</b>\x07 \xff end\n")
    assert jobs.log_tail(run, 3) == "20%\nred\n<b>bold</b> � end"
    assert len(jobs.log_tail(run, 10**6)) <= 64_000


def test_the_number_of_runs_is_limited(run, monkeypatch):
    jobs.check_room()
    monkeypatch.setenv("CFS_EXPLORE_MAX_RUNS", "2")
    jobs.check_room()
    monkeypatch.setenv("CFS_EXPLORE_MAX_RUNS", "1")
    with pytest.raises(RunError, match=r"at most 1 runs and has 1\. Delete one"):
        jobs.check_room()


def test_the_disk_is_limited(run, monkeypatch):
    (run / "big").write_bytes(b"x" * 900_000)
    assert jobs.disk_used(run) == 900_000 + (run / "spec.yaml").stat().st_size
    monkeypatch.setenv("CFS_EXPLORE_MAX_DISK_GB", "0.001")
    jobs.check_room()
    with pytest.raises(RunError, match="may take 1 MB; they take 900 kB, and this one needs about 200 kB"):
        jobs.check_room(200_000)


def test_a_fresh_start_leaves_the_results_of_a_run_that_is_being_worked_on(run):
    (run / "tables").mkdir()
    (run / "manifest.json").write_text("{}")
    with filelock.FileLock(run / "worker.lock"), pytest.raises(RunError, match="is being worked on"):
        jobs.work(run, fresh=True)
    assert (run / "tables").is_dir() and (run / "manifest.json").is_file()


def test_a_full_disk_still_takes_the_status(run, monkeypatch):
    write_status(run, stage="measuring", detail="x" * 200)
    before = (run / "status.json").stat()
    monkeypatch.setattr(status_module, "write_json", _no_room)
    status_module.write_status(run, jobs.Status("failed", error="The disk is full."))
    after = (run / "status.json").stat()
    assert (after.st_ino, after.st_size) == (before.st_ino, before.st_size)  # in its old place
    assert jobs.read_status(run) == jobs.Status("failed", error="The disk is full.")
    (run / "status.json").unlink()
    with pytest.raises(RunError, match="full"):
        status_module.write_status(run, jobs.Status("failed"))


def test_a_log_on_a_full_disk_does_not_end_a_run(run):
    def report(event):
        raise OSError(28, "No space left on device")

    jobs.work(run, device="cpu", report=report)
    assert jobs.read_status(run).state == "finished"


def _no_room(path, content, *, flush):
    raise RunError("The disk is full.")


@pytest.mark.parametrize("again", [jobs.start, jobs.keep, jobs.work, jobs.cancel])
def test_a_run_that_was_deleted_is_not_made_anew(again, tmp_path, monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path))
    with pytest.raises(RunError, match="it was deleted or moved meanwhile"):
        again(tmp_path / "gone")
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize("again", [jobs.start, jobs.work])
def test_a_run_that_is_deleted_while_its_start_waits_is_not_made_anew(run, again, monkeypatch):
    messages = []

    def wait_and_start():
        try:
            again(run)
        except RunError as error:
            messages.append(str(error))

    monkeypatch.setattr(control, "launch", lambda *a, **k: pytest.fail("a worker was started"))
    thread = threading.Thread(target=wait_and_start)
    with filelock.FileLock(run / "start.lock"):
        thread.start()
        time.sleep(0.3)
        run.rename(run.with_name("aside"))
    thread.join()
    assert messages == [f"{run.name} is not there any more: it was deleted or moved meanwhile."]
    assert not run.exists()


def test_a_worker_whose_run_was_moved_ends_and_does_not_make_it_anew(run):
    moved = run.with_name("moved")

    def report(event):
        if event.stage == "measuring" and run.exists():
            run.rename(moved)

    with pytest.raises(RunError, match="not there any more"):
        jobs.work(run, device="cpu", report=report)
    assert not (run / "status.json").exists()
    jobs.work(moved, device="cpu")
    assert jobs.read_status(moved).state == "finished"


def test_a_worker_that_has_ended_is_no_zombie(run, monkeypatch):
    (run / "spec.yaml").write_text("backbone: /no/such/folder")
    started = []
    monkeypatch.setattr(control, "_step_back", started.append)
    jobs.start(run)
    for _ in range(600):
        if not psutil.pid_exists(started[0]):
            return
        time.sleep(0.1)
    pytest.fail(f"the worker is {psutil.Process(started[0]).status()}")
