"""Actors of a real Ray cluster on this computer help with a run: bit by bit what one worker measures."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from cfs_explore import jobs
from cfs_explore.engine import ray_actors
from cfs_explore.errors import RunCancelled, RunError
from cfs_explore.pipeline import claim, explore
from cfs_explore.pipeline.shards import SetShards
from cfs_explore.spec import RunSpec
from cfs_explore.store import open_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def spec(tiny_spec):
    """Two levels and draws in many small shards."""
    return tiny_spec(60, 40, name="ray", diagnostics="map", shard_size=2)


@pytest.fixture
def slow(monkeypatch):
    """The leader takes its time, so that actors have something to do; gives the shards that it computed."""
    compute, own = SetShards.compute, []

    def slowly(self, index):
        own.append((self.work.folder.name, index))
        time.sleep(0.5)
        return compute(self, index)

    monkeypatch.setattr(SetShards, "compute", slowly)
    return own


def actors(process: subprocess.Popen) -> list[psutil.Process]:
    """The processes of the cluster's actors."""
    found = []
    for each in psutil.Process(process.pid).children(recursive=True):
        try:
            found += [each] * any("ray::_Actor" in word for word in each.cmdline())
        except psutil.NoSuchProcess:
            continue
    return found


def none_left(process: subprocess.Popen) -> bool:
    """Whether the actors end within five seconds."""
    until = time.monotonic() + 5
    while actors(process) and time.monotonic() < until:
        time.sleep(0.1)
    return not actors(process)


def test_actors_help_and_one_is_killed(spec, cluster, slow, tmp_path):
    """Scores, moments and tables are those of one worker; Ray starts the killed actor again, and it helps again."""
    address, process = cluster
    claim(RunSpec.parse(spec), tmp_path / "run")
    killed, end = [], threading.Event()

    def kill_one():
        while not end.wait(0.1):
            busy = [each for each in actors(process) if len(slow) >= 3]
            if busy and not killed:
                busy[0].kill()
                killed.append({each.pid for each in busy})
            elif killed and {each.pid for each in busy} - killed[0]:
                end.set()  # Ray has started another one

    thread = threading.Thread(target=kill_one)
    thread.start()
    try:
        jobs.work(tmp_path / "run", device="cpu", workers=3, address=address)
    finally:
        again = end.is_set()
        end.set()
        thread.join()
    run, measured_here = open_run(tmp_path / "run"), len(slow)
    slow.clear()
    assert killed and again and none_left(process)
    total = sum(-(-entry.count // 2) for entry in run.manifest.sets)
    assert measured_here < total
    assert not list((tmp_path / "run").glob("*.token"))
    assert_same(run, one_worker(spec, tmp_path))


def one_worker(spec, folder):
    """The run of a process alone, with as many threads."""
    (folder / "spec.yaml").write_text(RunSpec.parse(spec).to_yaml())
    command = ["-m", "cfs_explore", "run", folder / "spec.yaml", "--out", folder / "alone", "--device", "cpu"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, *command], check=True, env=environment, capture_output=True)
    return open_run(folder / "alone")


def assert_same(run, other):
    for which in (("id_test", None), ("ood", "bright")):
        np.testing.assert_array_equal(run.scores(*which), other.scores(*which))
    for which in (("id_train", None), ("id_test", None), ("ood", "bright")):
        for name in ("count", "mean", "m2", "m2_within"):
            np.testing.assert_array_equal(getattr(run.moments(*which), name), getattr(other.moments(*which), name))
    for name in ("auroc_map", "best_cell", "detectors"):
        pd.testing.assert_frame_equal(run.table(name), other.table(name), check_exact=True)


def test_cancel_ends_the_actors(spec, cluster, slow, tmp_path):
    address, process = cluster
    claim(RunSpec.parse(spec), tmp_path / "run")

    def cancel_once_they_help(event):
        if len(slow) >= 3 and actors(process):
            (tmp_path / "run" / "cancel").touch()

    with pytest.raises(RunCancelled):
        jobs.work(tmp_path / "run", device="cpu", workers=2, address=address, report=cancel_once_they_help)
    assert jobs.read_status(tmp_path / "run").state == "cancelled" and none_left(process)


def test_a_folder_that_the_actors_do_not_share(spec, cluster, slow, tmp_path, monkeypatch, capfd):
    """What the leader writes does not arrive there: the run stops and says so."""
    address, process = cluster
    touch = Path.touch
    monkeypatch.setattr(Path, "touch", lambda path: None if path.suffix == ".token" else touch(path))
    claim(RunSpec.parse(spec), tmp_path / "run")
    with pytest.raises(RunError, match=r"No actor .* can help\. .* does not see the leader's folder"):
        jobs.work(tmp_path / "run", device="cpu", workers=2, address=address)
    status = jobs.read_status(tmp_path / "run")
    assert status.state == "failed" and "must share that folder" in status.error
    assert "does not see the leader's folder" in capfd.readouterr().err and none_left(process)


def test_other_versions_are_refused(spec, cluster, slow, tmp_path, monkeypatch):
    monkeypatch.setattr("cfs_explore.pipeline.board._versions", lambda: {"cfs-explore": "0"})
    claim(RunSpec.parse(spec), tmp_path / "run")
    with pytest.raises(RunError, match=r"need the same versions: .*cfs-explore 0 there"):
        jobs.work(tmp_path / "run", device="cpu", workers=2, address=cluster[0])


def test_an_address_where_nobody_is(tmp_path):
    pytest.importorskip("ray", reason='needs Ray: pip install "cfs-explore[ray]"')
    began = time.monotonic()
    with (
        pytest.raises(RunError, match=r"No Ray cluster answers at 127\.0\.0\.1:1 within 20 s"),
        ray_actors("127.0.0.1:1", tmp_path, print, count=1, cpus=1, gpus=0, say=print),
    ):
        pass
    assert time.monotonic() - began < 30


def test_the_command_line(spec, cluster, tmp_path):
    """`--engine ray`: as many actors as the cluster has room for; the numbers of one worker."""
    (tmp_path / "spec.yaml").write_text(RunSpec.parse(spec).to_yaml())
    command = ["-m", "cfs_explore", "run", tmp_path / "spec.yaml", "--out", tmp_path / "run", "--device", "cpu"]
    subprocess.run([sys.executable, *command, "--engine", "ray", "--address", cluster[0]], check=True)
    assert_same(open_run(tmp_path / "run"), one_worker(spec, tmp_path))
    assert explore(spec, tmp_path / "run").path == tmp_path / "run"  # finished
