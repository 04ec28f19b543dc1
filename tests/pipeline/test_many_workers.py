"""Several workers measure one run: bit by bit what one alone measures, whoever of them is killed or stopped."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pandas as pd
import pytest

from cfs_explore.engine import Crew, Leases
from cfs_explore.errors import RunCancelled, RunError
from cfs_explore.jobs import work
from cfs_explore.pipeline import claim, explore
from cfs_explore.pipeline.crew import join
from cfs_explore.pipeline.shards import SetShards
from cfs_explore.spec import RunSpec
from cfs_explore.store import open_run


@pytest.fixture(scope="module")
def spec(tiny_spec):
    """Two levels and draws in many small shards."""
    return tiny_spec(60, 40, name="many", diagnostics="map", shard_size=2)


@pytest.fixture(scope="module")
def alone(spec, tmp_path_factory):
    """What one worker measures."""
    return explore(spec, tmp_path_factory.mktemp("alone") / "run", device="cpu")


@pytest.fixture
def slow(monkeypatch):
    """The leader takes its time, so that helpers have something to do; gives the shards that it computed."""
    compute, own, leader = SetShards.compute, [], threading.current_thread()

    def slowly(self, index):
        if threading.current_thread() is leader:
            own.append((self.work.folder.name, index))
            time.sleep(0.15)
        return compute(self, index)

    monkeypatch.setattr(SetShards, "compute", slowly)
    return own


def assert_same(run, other):
    for which in (("id_test", None), ("ood", "bright")):
        np.testing.assert_array_equal(run.scores(*which), other.scores(*which))
    for which in (("id_train", None), ("id_test", None), ("ood", "bright")):
        for name in ("count", "mean", "m2", "m2_within"):
            np.testing.assert_array_equal(getattr(run.moments(*which), name), getattr(other.moments(*which), name))
    np.testing.assert_array_equal(run.pair_squares()[0], other.pair_squares()[0])
    for name in ("auroc_map", "best_cell", "detectors"):
        pd.testing.assert_frame_equal(run.table(name), other.table(name), check_exact=True)


def test_a_helper_in_the_same_folder(spec, alone, slow, tmp_path):
    """Tables, scores, moments and pairs; nothing of the crew is left."""
    claim(RunSpec.parse(spec), tmp_path / "run")
    helped = []
    thread = threading.Thread(target=lambda: helped.append(join(tmp_path / "run", device="cpu")))
    thread.start()
    run = explore(spec, tmp_path / "run", device="cpu")
    thread.join()
    assert_same(run, alone)
    total = sum(-(-entry.count // 2) for entry in run.manifest.sets)
    assert helped[0] >= 3 and len(slow) < total
    assert not (tmp_path / "run" / "work" / "crew").exists()


def test_a_helper_that_comes_to_a_cleared_folder_has_nothing_left_to_do(spec, tmp_path, monkeypatch):
    """The leader ends between two looks of the helper."""
    help_one, crew = Crew.help, tmp_path / "run" / "work" / "crew"

    def late(self, *arguments):
        while crew.exists():
            time.sleep(0.01)
        return help_one(self, *arguments)

    monkeypatch.setattr(Crew, "help", late)
    claim(RunSpec.parse(spec), tmp_path / "run")
    helped = []
    thread = threading.Thread(target=lambda: helped.append(join(tmp_path / "run", device="cpu")))
    thread.start()
    explore(spec, tmp_path / "run", device="cpu")
    thread.join()
    assert helped == [0]


@pytest.mark.slow
def test_helpers_are_killed_and_stopped(spec, alone, slow, tmp_path, monkeypatch):
    """Processes of their own, killed, or stopped until the leader has taken their shards over, and woken again."""
    monkeypatch.setattr("cfs_explore.engine.leases.Leases.__init__.__kwdefaults__", _quick())
    path = tmp_path / "run"
    claim(RunSpec.parse(spec), path)
    command = [sys.executable, "-m", "cfs_explore", "work", str(path), "--device", "cpu", "--beside", str(os.getpid())]
    helpers = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(2)]
    chance, end, harmed = random.Random(0), threading.Event(), []

    def harm():
        while not end.wait(0.7):
            helper = chance.choice(helpers)
            harmed.append(helper.pid)
            if chance.random() < 0.5:
                helper.send_signal(signal.SIGSTOP)
                end.wait(1.5)
                helper.send_signal(signal.SIGCONT)
            else:
                helper.kill()
                helpers[helpers.index(helper)] = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    thread = threading.Thread(target=harm)
    thread.start()
    try:
        run = explore(spec, path, device="cpu")
    finally:
        end.set()
        thread.join()
        for helper in helpers:
            helper.kill()
            helper.wait()
    assert_same(run, alone)
    assert len(harmed) >= 2


def _quick() -> dict:
    """A leader that takes another worker for lost after a second."""
    return Leases.__init__.__kwdefaults__ | {"lost": 1.0, "pulse": 0.2}


def test_a_cancelled_run_lets_its_helpers_go(spec, slow, tmp_path):
    claim(RunSpec.parse(spec), tmp_path / "run")
    ended = []

    def help_it():
        try:
            join(tmp_path / "run", device="cpu")
        except RunCancelled:
            ended.append(time.monotonic())

    thread = threading.Thread(target=help_it)
    thread.start()
    with pytest.raises(RunCancelled):
        explore(spec, tmp_path / "run", device="cpu", cancelled=lambda: len(slow) > 1 and _cancel(tmp_path / "run"))
    said = time.monotonic()
    thread.join(10)
    assert ended and ended[0] - said < 5


def _cancel(run) -> bool:
    (run / "cancel").touch()
    return True


def test_a_helper_goes_where_the_wish_to_cancel_came_and_went(spec, slow, tmp_path, monkeypatch):
    """As a worker takes it back at its end: the helper is in the middle of a shard meanwhile, and sees none of it."""
    claim(RunSpec.parse(spec), tmp_path / "run")
    ended, busy, compute = [], threading.Event(), SetShards.compute

    def long(self, index):
        if threading.current_thread() is thread:
            busy.set()
            for _ in range(200):
                time.sleep(0.1)
                self.measurement.reader._after_batch(1)
        return compute(self, index)

    def help_it():
        join(tmp_path / "run", device="cpu")
        ended.append(time.monotonic())

    monkeypatch.setattr(SetShards, "compute", long)
    thread = threading.Thread(target=help_it)
    thread.start()
    with pytest.raises(RunCancelled):
        explore(spec, tmp_path / "run", device="cpu", cancelled=busy.is_set)
    said = time.monotonic()
    thread.join(30)
    assert ended and ended[0] - said < 5
    assert not (tmp_path / "run" / "work" / "crew").exists()


def test_a_helper_that_hangs_loses_its_shard(spec, alone, slow, tmp_path, monkeypatch):
    """Its pulse would go on for ever, and the leader wait for it."""
    monkeypatch.setattr("cfs_explore.engine.leases.Leases.__init__.__kwdefaults__", _quick())
    monkeypatch.setattr("cfs_explore.pipeline.crew.LEAST_SECONDS", 0.5)
    claim(RunSpec.parse(spec), tmp_path / "run")
    hung, woken, compute = [], threading.Event(), SetShards.compute

    def hangs(self, index):
        if threading.current_thread() is thread and not hung:
            hung.append(index)
            assert woken.wait(60)
        return compute(self, index)

    monkeypatch.setattr(SetShards, "compute", hangs)
    thread = threading.Thread(target=join, args=(tmp_path / "run",), kwargs={"device": "cpu"})
    thread.start()
    run = explore(spec, tmp_path / "run", device="cpu")
    woken.set()
    thread.join(30)
    assert hung and not thread.is_alive()
    assert_same(run, alone)


def test_what_cannot_be_joined(spec, alone, tmp_path):
    with pytest.raises(RunError, match=r"holds no run \(no spec.yaml\)"):
        join(tmp_path)
    with pytest.raises(RunError, match="is measured already"):
        join(alone.path, patience=0.1)
    claim(RunSpec.parse(spec), tmp_path / "run")
    with pytest.raises(RunError, match="make sure that both computers see one and the same folder"):
        join(tmp_path / "run", patience=0.1)
    board = {"versions": {"cfs-explore": "0", "numpy": np.__version__, "torch": "1"}, "sets": []}
    (tmp_path / "run" / "work" / "crew").mkdir(parents=True)
    (tmp_path / "run" / "work" / "crew" / "board.json").write_text(json.dumps(board))
    with pytest.raises(RunError, match=r"need the same versions: cfs-explore 0 there, .* torch 1 there"):
        join(tmp_path / "run")


def test_a_helper_whose_leader_is_gone_says_so(spec, slow, tmp_path, monkeypatch):
    """The leader breaks off without a word; what it left open is not worked on for ever."""
    monkeypatch.setattr("cfs_explore.engine.leases.Leases.__init__.__kwdefaults__", _quick())
    monkeypatch.setattr("cfs_explore.pipeline.board.Lead.__exit__", lambda self, *exception: self.leases._end.set())
    claim(RunSpec.parse(spec), tmp_path / "run")
    said = []

    def help_it():
        try:
            join(tmp_path / "run", device="cpu")
        except RunError as error:
            said.append(str(error))

    thread = threading.Thread(target=help_it)
    thread.start()
    with pytest.raises(RunCancelled):
        explore(spec, tmp_path / "run", device="cpu", cancelled=lambda: len(slow) > 1)
    thread.join(20)
    assert said and "is gone. Start the run again" in said[0]


def test_the_board_of_a_leader_that_was_killed_is_taken_away_before_helpers_start(spec, alone, tmp_path, monkeypatch):
    """They would take it for the run's, and give up as nobody leads it, before the new leader has loaded."""
    path, seen = tmp_path / "run", []
    claim(RunSpec.parse(spec), path)
    (path / "work" / "crew").mkdir(parents=True)
    (path / "work" / "crew" / "board.json").write_text("{}")

    @contextlib.contextmanager
    def looks(run, *_):
        seen.append((run / "work" / "crew").exists())
        yield lambda: None

    monkeypatch.setattr("cfs_explore.jobs.worker.helpers", looks)
    work(path, device="cpu")
    assert seen == [False]


def test_the_command_line_starts_helpers(spec, tmp_path):
    """`--workers 2`: the numbers of one worker with as many threads."""
    (tmp_path / "spec.yaml").write_text(RunSpec.parse(spec).to_yaml())
    environment = os.environ | {"OMP_NUM_THREADS": str(max(1, os.cpu_count() // 2))}
    for name, more in (("two", ["--workers", "2"]), ("one", [])):
        command = ["-m", "cfs_explore", "run", str(tmp_path / "spec.yaml"), "--out", str(tmp_path / name), *more]
        subprocess.run([sys.executable, *command, "--device", "cpu"], check=True, env=environment, capture_output=True)
    assert_same(open_run(tmp_path / "two"), open_run(tmp_path / "one"))
