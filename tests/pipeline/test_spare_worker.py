"""A worker that waits with its libraries loaded runs what the next start gives it, and ends with the app."""

import os
import time

import psutil
import pytest

from cfs_explore.jobs import spare


@pytest.fixture
def prepared():
    """The process of a spare, which loads its libraries."""
    process = psutil.Process(spare.prepare())
    yield process
    for left in list(spare._spares):
        spare.dismiss(left)


def test_it_takes_arguments_environment_and_folder(prepared, tmp_path, monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path / "elsewhere"))
    monkeypatch.chdir(tmp_path)
    taken = spare.take(["run", "no-such-spec.yaml"], tmp_path / "log.txt")
    assert taken.pid == prepared.pid
    assert taken.wait(60) == 2
    assert "no-such-spec.yaml" in (tmp_path / "log.txt").read_text()
    assert spare.take(["run", "another"], tmp_path / "log.txt") is None


def test_there_is_one_at_a_time(prepared):
    assert spare.prepare() is None
    (first,) = spare._spares
    prepared.kill()
    first.wait()
    assert spare.prepare() is not None


def test_one_that_died_is_not_taken(prepared, tmp_path):
    prepared.kill()
    prepared.wait()
    assert spare.take(["run", "x"], tmp_path / "log.txt") is None


def test_one_that_has_ended_is_no_zombie(prepared):
    prepared.kill()
    for _ in range(100):
        if not psutil.pid_exists(prepared.pid):
            return
        time.sleep(0.1)
    pytest.fail(f"the spare is {prepared.status()}")


def test_one_that_nobody_takes_ends(prepared):
    (left,) = spare._spares
    spare.dismiss(left)
    assert not prepared.is_running()


def test_it_ends_with_the_app(tmp_path):
    source = "from cfs_explore.jobs import spare; print(spare.prepare())"
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True, env=os.environ)
    for _ in range(600):
        if not psutil.pid_exists(int(done.stdout)):
            return
        time.sleep(0.1)
    pytest.fail("the spare worker outlived the app")
