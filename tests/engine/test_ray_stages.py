"""Actors of a real Ray cluster share the pieces of diagnostics and detectors: bit by bit what one worker computes."""

import shutil
import subprocess
import sys
import time

import pandas as pd
import pytest

from cfs_explore import jobs
from cfs_explore.pipeline import claim, diagnose, explore
from cfs_explore.pipeline.stages.pieces import Pieces
from cfs_explore.spec import RunSpec
from cfs_explore.store import open_run
from cfs_explore.studies import DIAGNOSTICS

pytestmark = pytest.mark.slow
STAGES = ["controls", "detectors"]


@pytest.fixture(scope="module", autouse=True)
def _equal_costs():
    """What a Jacobian-vector product takes is timed, by the leader: no two attempts agree."""
    patch = pytest.MonkeyPatch()
    patch.setattr("cfs_explore.pipeline.detector_measuring.product_cost", lambda *_: 1.0)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def spec(tiny_spec):
    """Few images and taps; detectors that fit."""
    few = {"taps": ["conv_in", "up_blocks.0.resnets.1"], "draws": 1, "shard_size": 4}
    return tiny_spec(24, 8, name="small", diagnostics="map", detectors={"train": 8, "images": 4, "budget": 20.0}, **few)


@pytest.fixture(scope="module")
def alone(spec, tmp_path_factory):
    """The stages by one worker with a thread, a copy of its map, and the keys of the pieces."""
    run = explore(spec, tmp_path_factory.mktemp("alone") / "run", device="cpu", threads=1)
    path, keys, compute = shutil.copytree(run.path, run.path.with_name("map")), set(), Pieces._compute
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pieces, "_compute", lambda self, path, key, made: keys.add(key) or compute(self, path, key, made))
        return diagnose(run, STAGES, device="cpu", threads=1), path, keys


@pytest.fixture
def slow(monkeypatch):
    """The leader takes its time, so that actors have something to do; gives the keys that it computed."""
    compute, own = Pieces._compute, []

    def slowly(self, path, key, function):
        own.append(key)
        time.sleep(0.5)
        return compute(self, path, key, function)

    monkeypatch.setattr(Pieces, "_compute", slowly)
    return own


def assert_same_tables(run, other, stages=STAGES):
    """But for times."""
    for table in (table for name in stages for table in DIAGNOSTICS[name].table_names):
        left, right = (each.table(table).drop(columns="ms", errors="ignore") for each in (run, other))
        pd.testing.assert_frame_equal(left, right, check_exact=True)


def test_actors_share_the_pieces_of_diagnostics_and_detectors(alone, cluster, slow, tmp_path):
    """The leader computes fewer than there are, and the tables are those of one worker."""
    run, path, every = alone
    shared = shutil.copytree(path, tmp_path / "shared")
    jobs.work(shared, stages=STAGES, device="cpu", workers=3, address=cluster[0])
    for stage in STAGES:
        own, all_of_it = ({key for key in keys if key.startswith(stage)} for keys in (slow, every))
        assert own < all_of_it
    assert set(slow) < every
    assert_same_tables(open_run(shared), run)
    assert not (shared / "work").exists() and not list(shared.glob("*.token"))


def test_a_run_with_diagnostics(spec, alone, cluster, slow, tmp_path):
    """After the map, its actors go on with the stages."""
    out = tmp_path / "run"
    claim(RunSpec.parse(spec | {"diagnostics": ["controls"]}), out)
    jobs.work(out, device="cpu", workers=3, address=cluster[0])
    assert set(slow) < {key for key in alone[2] if key.startswith("controls")}
    assert_same_tables(open_run(out), alone[0], ["controls"])


def test_the_command_line(alone, cluster, tmp_path):
    shared = shutil.copytree(alone[1], tmp_path / "shared")
    how = ["--engine", "ray", "--address", cluster[0], "--device", "cpu"]
    for words in (["diagnose", shared, "--stages", "controls"], ["detectors", shared]):
        subprocess.run([sys.executable, "-m", "cfs_explore", *words, *how], check=True)
    run = open_run(shared)
    assert_same_tables(run, alone[0], ["controls"])
    assert run.manifest.stages["detectors"].state == "done"
