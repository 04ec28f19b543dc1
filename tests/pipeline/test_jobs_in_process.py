"""The job runner's files and states, with workers that run inside the test or are played by another process."""

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
from cfs_explore.errors import BackboneError, RunCancelled, RunError
from cfs_explore.locations import runs_root
from cfs_explore.spec import RunSpec


@pytest.fixture
def job(quick_spec, tmp_path):
    """A new run directory of the quick spec."""
    return jobs.create_at(tmp_path / "run", RunSpec.parse(quick_spec))


@pytest.fixture
def other_process():
    """A process that does nothing, standing for a worker."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def write_status(run, **facts):
    status = jobs.Status(**({"state": "running", "started": time.time()} | facts))
    (run / "status.json").write_text(json.dumps(asdict(status)))


def test_new_runs_get_unguessable_ids_below_the_runs_root(quick_spec):
    spec = RunSpec.parse(quick_spec)
    first, second = jobs.create(spec), jobs.create(spec)
    assert first.parent == second.parent == runs_root()
    assert first.name != second.name and first.name.startswith("tiny-run-") and len(first.name) > 18
    assert RunSpec.parse(first / "spec.yaml") == spec
    assert jobs.read_status(first) is None


def test_work_ends_finished_and_was_seen_running(job):
    states, events = [], []

    def report(event):
        events.append(event)
        states.append(jobs.read_status(job).state)

    jobs.work(job, device="cpu", report=report)
    assert set(states) == {"running"}
    assert {e.stage for e in events} == {"loading", "preparing", "measuring", "saving", "tabulating"}
    status = jobs.read_status(job)
    assert status.state == "finished" and status.pid == os.getpid() and status.error == ""
    assert not jobs.is_alive(status)
    assert (job / "manifest.json").exists()


def test_progress_adds_up(job):
    events = []
    jobs.work(job, device="cpu", report=events.append)
    measuring = [e for e in events if e.stage == "measuring"]
    assert [e.done for e in measuring] == sorted(e.done for e in measuring)
    assert measuring[0].done == 0 and measuring[-1].done == measuring[-1].total == 36 + 11
    assert measuring[-1].rate > 0 and measuring[-1].eta == 0 and measuring[-1].unit == "forwards"
    assert {e.detail for e in measuring[1:]} == {"ramps", "bright"}


def test_a_users_mistake_is_written_down(quick_spec, tmp_path):
    run = jobs.create_at(tmp_path / "run", RunSpec.parse(quick_spec | {"backbone": "/no/such/folder"}))
    with pytest.raises(BackboneError):
        jobs.work(run)
    status = jobs.read_status(run)
    assert status.state == "failed" and "/no/such/folder is not on this machine" in status.error


def test_a_programs_error_is_written_down_and_raised(job, monkeypatch):
    def fail(*_arguments):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("cfs_explore.scoring.Moments.of", fail)
    with pytest.raises(ZeroDivisionError):
        jobs.work(job, device="cpu")
    status = jobs.read_status(job)
    assert status.state == "failed" and "error of the program" in status.error and "oops" in status.error


def test_the_cancel_file_stops_it_once(job):
    def report(event):
        if event.stage == "measuring":
            (job / "cancel").touch()

    with pytest.raises(RunCancelled):
        jobs.work(job, device="cpu", report=report)
    assert jobs.read_status(job).state == "cancelled"
    assert not (job / "cancel").exists()  # a later start must not trip over it
    jobs.work(job, device="cpu")
    assert jobs.read_status(job).state == "finished"


def test_ctrl_c_reads_as_cancelled(job):
    def report(event):
        if event.stage == "measuring":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        jobs.work(job, device="cpu", report=report)
    assert jobs.read_status(job).state == "cancelled"


def test_a_worker_that_vanished_reads_as_failed(job, other_process):
    write_status(job, pid=other_process.pid)
    assert jobs.read_status(job).state == "running"
    other_process.kill()
    other_process.wait()
    status = jobs.read_status(job)
    assert status.state == "failed" and "Start it again" in status.error


def test_a_process_number_given_away_again_is_not_the_worker(job):
    write_status(job, pid=os.getpid(), started=psutil.Process().create_time() - 3600)
    assert jobs.read_status(job).state == "failed"


def test_a_second_start_while_one_runs_does_nothing(job, other_process, monkeypatch):
    write_status(job, pid=other_process.pid)
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: pytest.fail("a second worker was started"))
    jobs.start(job)
    with pytest.raises(RunError, match=f"being worked on by process {other_process.pid}"):
        jobs.work(job)
    assert jobs.read_status(job).pid == other_process.pid


def test_cancel_ends_a_worker_that_does_not_listen(job, other_process):
    write_status(job, pid=other_process.pid, stage="measuring", done=3, total=9)
    jobs.cancel(job, patience=0.3)
    assert not psutil.pid_exists(other_process.pid)
    status = jobs.read_status(job)
    assert (status.state, status.done) == ("cancelled", 3)
    assert not (job / "cancel").exists()


def test_cancel_leaves_what_a_worker_reported_while_it_was_ended(job, tmp_path):
    """It may finish between the last look at it and its end."""
    source = (
        "import signal, sys, time; from pathlib import Path; path = Path(sys.argv[1])\n"
        "def end(*_): path.write_text(path.read_text().replace('running', 'finished')); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); print('ready', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", source, str(job / "status.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        write_status(job, pid=process.pid)
        jobs.cancel(job, patience=5)
    assert jobs.read_status(job).state == "finished"
    assert not (job / "cancel").exists()


def test_a_wish_that_came_too_late_does_not_stop_the_next_worker(job, monkeypatch):
    monkeypatch.setattr("cfs_explore.pipeline.explore", lambda *_arguments, **_options: (job / "cancel").touch())
    jobs.work(job, device="cpu")
    assert jobs.read_status(job).state == "finished"
    assert not (job / "cancel").exists()


def test_cancel_leaves_a_finished_job_alone(job):
    jobs.work(job, device="cpu")
    jobs.cancel(job, patience=0.1)
    assert jobs.read_status(job).state == "finished"
    assert not (job / "cancel").exists()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        '{"state": "odd"}',
        '{"state": "running", "pid": "7"}',
        '{"state": "running", "pid": -1}',
        '{"state": "running", "started": null}',
    ],
)
def test_a_damaged_status_is_none_and_the_run_can_be_started(job, content):
    (job / "status.json").write_text(content)
    assert jobs.read_status(job) is None and jobs.recover() == []
    jobs.work(job, device="cpu")
    assert jobs.read_status(job).state == "finished"


def test_a_damaged_status_of_a_run_that_is_held_reads_as_running(job, monkeypatch):
    (job / "status.json").write_text("{")
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: pytest.fail("a second worker was started"))
    with filelock.FileLock(job / "worker.lock"):
        assert jobs.read_status(job).state == "running"
        jobs.start(job)
        with pytest.raises(RunError, match="being worked on by another process"):
            jobs.work(job)


def test_a_start_that_died_before_it_noted_the_number_keeps_no_worker_away(job):
    write_status(job, state="starting")
    jobs.work(job, device="cpu")
    assert jobs.read_status(job).state == "finished"


def test_a_quick_worker_waits_until_its_number_is_noted(job):
    """Or the number would be written over what the worker tells of itself."""
    worker = threading.Thread(target=jobs.work, args=(job,), kwargs={"device": "cpu"})
    with filelock.FileLock(job / "start.lock"):
        write_status(job, state="starting")
        worker.start()
        worker.join(0.5)
        assert jobs.read_status(job).state == "starting"
        write_status(job, state="starting", pid=os.getpid())
    worker.join()
    assert jobs.read_status(job).state == "finished"
