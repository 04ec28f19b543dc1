"""The queue for a device: one worker at a time, the others in their order, with their place shown."""

import json
import os
import subprocess
import sys
import time

import pytest

from cfs_explore import jobs
from cfs_explore.errors import RunCancelled, RunError
from cfs_explore.jobs import queue
from cfs_explore.locations import runs_root
from cfs_explore.spec import RunSpec

pytestmark = pytest.mark.slow

WORKER = """
import sys, time
from cfs_explore.jobs import queue
name, devices, hold = sys.argv[1], sys.argv[2].split(","), float(sys.argv[3])
queue.POLL_SECONDS = 0.02
said = None
def tell(place):
    global said
    if place != said:
        said = place
        print(name, "waits", place, flush=True)
with queue.turn(devices, tell, lambda: False) as device:
    print(name, "has", device, flush=True)
    time.sleep(hold)
"""


@pytest.fixture(autouse=True)
def _own_queue(monkeypatch, tmp_path):
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(queue, "POLL_SECONDS", 0.02)


@pytest.fixture
def worker():
    """Start a process that queues for devices and holds the one it gets; all are killed at the end."""
    started = []

    def start(name, devices="cpu", hold=60.0):
        command = [sys.executable, "-c", WORKER, name, devices, str(hold)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def says(process) -> str:
    return process.stdout.readline().strip()


def never() -> bool:
    return False


def test_places_count_those_who_came_sooner(worker):
    first = worker("a")
    assert says(first) == "a has cpu"
    second = worker("b")
    assert says(second) == "b waits 1"
    third = worker("c")
    assert says(third) == "c waits 2"
    first.kill()
    assert says(second) == "b has cpu"
    assert says(third) == "c waits 1"


def test_a_killed_waiter_makes_room(worker):
    assert says(worker("a")) == "a has cpu"
    second = worker("b")
    assert says(second) == "b waits 1"
    third = worker("c")
    assert says(third) == "c waits 2"
    second.kill()
    second.wait()
    assert says(third) == "c waits 1"


def test_each_device_has_its_own_turn(worker):
    assert says(worker("a", "cuda:0,cuda:1")) == "a has cuda:0"
    assert says(worker("b", "cuda:0,cuda:1")) == "b has cuda:1"
    third = worker("c", "cuda:0,cuda:1")
    assert says(third) == "c waits 1"
    assert says(worker("d", "cpu")) == "d has cpu"  # who waits for a GPU keeps nobody from the CPU


def test_the_one_who_waits_is_cancelled(worker):
    assert says(worker("a")) == "a has cpu"
    places = []
    with (
        pytest.raises(RunCancelled, match="while it waited for the device"),
        queue.turn(["cpu"], places.append, lambda: len(places) == 3),
    ):
        pytest.fail("it must not be its turn")
    assert places == [1, 1, 1]
    assert not list((runs_root() / ".queue").glob("*.json"))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "x", "noted": 0, "devices": []}', '{"pid": 1}'])
def test_a_damaged_ticket_holds_nobody_up(content):
    folder = runs_root() / ".queue"
    folder.mkdir(parents=True)
    (folder / "00000000000000000001-1.json").write_text(content)
    with queue.turn(["cpu"], lambda place: pytest.fail("nobody is ahead"), never) as device:
        assert device == "cpu"
    assert not list(folder.glob("*.json"))


def test_a_job_waits_and_says_so(worker, quick_spec, tmp_path):
    run = jobs.create_at(tmp_path / "run", RunSpec.parse(quick_spec))
    holder = worker("a")
    assert says(holder) == "a has cpu"
    seen = []

    def report(event):
        status = jobs.read_status(run)
        seen.append((event.stage, status.state, status.place))
        if len(seen) == 3:
            holder.kill()

    jobs.work(run, device="cpu", report=report)
    assert seen[:3] == [("waiting", "waiting", 1)] * 3
    assert seen[-1] == ("tabulating", "running", 0)
    assert jobs.read_status(run).device == "cpu"


def test_a_job_is_cancelled_while_it_waits(worker, quick_spec, tmp_path):
    run = jobs.create_at(tmp_path / "run", RunSpec.parse(quick_spec))
    assert says(worker("a")) == "a has cpu"
    with pytest.raises(RunCancelled, match="while it waited"):
        jobs.work(run, device="cpu", report=lambda event: (run / "cancel").touch())
    assert jobs.read_status(run).state == "cancelled"
    assert not (run / "cancel").exists()


def test_two_workers_at_once_never_share_a_run(quick_spec, tmp_path):
    run = jobs.create_at(tmp_path / "run", RunSpec.parse(quick_spec))
    command = [sys.executable, "-m", "cfs_explore", "run", str(run), "--device", "cpu"]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [process.communicate(timeout=240)[1] for process in both]
    codes = sorted(process.returncode for process in both)
    if codes == [0, 0]:  # the second came when the first was done already
        pytest.skip("one had finished before the other began")
    assert codes == [0, 2], errors
    assert "is being worked on by" in "".join(errors)
    assert jobs.read_status(run).state == "finished"


def test_the_lock_alone_keeps_a_second_worker_out(quick_spec, tmp_path):
    """As when both came in the same moment: neither has written a status yet."""
    import filelock

    run = jobs.create_at(tmp_path / "run", RunSpec.parse(quick_spec))
    with filelock.FileLock(run / "worker.lock"), pytest.raises(RunError, match="worked on by another process"):
        jobs.work(run, device="cpu")
    assert jobs.read_status(run) is None


def test_a_ticket_tells_who_waits(worker):
    assert says(worker("a")) == "a has cpu"
    second = worker("b")
    assert says(second) == "b waits 1"
    (ticket,) = (runs_root() / ".queue").glob("*.json")
    content = json.loads(ticket.read_text())
    assert (content["pid"], content["devices"]) == (second.pid, ["cpu"])
    assert abs(content["noted"] - time.time()) < 60 and os.getpid() != content["pid"]
