"""Diagnostics and detectors by several workers: bit by bit what one alone computes."""

import shutil
import threading
import time

import pandas as pd
import pytest

from cfs_explore.engine import Leases
from cfs_explore.errors import RunCancelled
from cfs_explore.pipeline import diagnose, explore
from cfs_explore.pipeline.crew import join
from cfs_explore.pipeline.stages.pieces import Pieces
from cfs_explore.store import open_run
from cfs_explore.studies import DIAGNOSTICS, STANDARD

#: Columns that hold times, and the table of them.
TIMES, TIMED = {"ms"}, "cost"


@pytest.fixture(scope="module", autouse=True)
def _equal_costs():
    """What a Jacobian-vector product takes is timed: no two attempts agree."""
    patch = pytest.MonkeyPatch()
    patch.setattr("cfs_explore.pipeline.detector_measuring.product_cost", lambda *_: 1.0)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def small(tiny_spec, tmp_path_factory):
    """A finished map of few images and taps; its inputs are still there."""
    few = {"taps": ["conv_in", "up_blocks.0.resnets.1"], "draws": 1}
    spec = tiny_spec(24, 8, name="small", diagnostics="map", detectors={"train": 8, "images": 4, "budget": 20.0}, **few)
    return explore(spec, tmp_path_factory.mktemp("small") / "run", device="cpu")


@pytest.fixture
def copied(small, tmp_path):
    """A copy of the finished run."""
    return lambda name: shutil.copytree(small.path, tmp_path / name)


@pytest.fixture
def slow(monkeypatch):
    """The leader takes its time, so that helpers have something to do; gives the keys that each thread computed."""
    compute, by, leader = Pieces._compute, {}, threading.current_thread()

    def slowly(self, path, key, function):
        by.setdefault(threading.current_thread() is leader, []).append(key)
        if threading.current_thread() is leader:
            time.sleep(0.1)
        return compute(self, path, key, function)

    monkeypatch.setattr(Pieces, "_compute", slowly)
    return by


def helping(path, helped):
    """A helper in a thread of its own, that waits until there is a leader."""

    def work():
        try:
            helped.append(join(path, device="cpu", patience=float("inf")))
        except RunCancelled:
            helped.append("cancelled")

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def assert_same_tables(one, other, stages):
    for table in (table for name in stages for table in DIAGNOSTICS[name].table_names if table != TIMED):
        left, right = (run.table(table).drop(columns=TIMES, errors="ignore") for run in (one, other))
        pd.testing.assert_frame_equal(left, right, check_exact=True)


@pytest.mark.parametrize("stage", [name for name in DIAGNOSTICS if name not in STANDARD])
def test_a_stage_with_a_helper(stage, copied, slow):
    """Its tables; no piece is computed by both."""
    alone = diagnose(copied("alone"), [stage], device="cpu")
    slow.clear()
    path, helped = copied("shared"), []
    thread = helping(path, helped)
    shared = diagnose(path, [stage], device="cpu")
    thread.join(60)
    assert alone.manifest.stages[stage].state == shared.manifest.stages[stage].state == "done"
    assert_same_tables(shared, alone, [stage])
    own, others = (slow.get(is_leader, []) for is_leader in (True, False))
    assert helped == [len(others)] and not set(own) & set(others)
    assert not (path / "work").exists()


def test_images_that_are_read_again_are_read_once(copied, slow, monkeypatch):
    """The run has dropped its inputs, and both workers need them."""
    path, helped, read = copied("run"), [], []
    shutil.rmtree(path / "work", ignore_errors=True)
    module = "cfs_explore.pipeline.stages.study"
    from cfs_explore.pipeline.stages.study import prepare_sets

    def reading(spec, planned, *arguments, **options):
        read.extend(each.images.name for each in planned)
        return prepare_sets(spec, planned, *arguments, **options)

    monkeypatch.setattr(f"{module}.prepare_sets", reading)
    thread = helping(path, helped)
    diagnose(path, ["controls"], device="cpu")
    thread.join(60)
    assert len(read) == len(open_run(path).manifest.sets) and helped[0] > 0


def test_a_cancelled_diagnosis_lets_its_helpers_go_and_goes_on_later(copied, slow):
    path, helped = copied("run"), []
    thread = helping(path, helped)

    def cancelled():
        if len(slow.get(True, [])) > 2 and slow.get(False):
            (path / "cancel").touch()
        return (path / "cancel").exists()

    with pytest.raises(RunCancelled):
        diagnose(path, ["controls"], device="cpu", cancelled=cancelled)
    since = time.monotonic()
    thread.join(20)
    assert helped == ["cancelled"] and time.monotonic() - since < 5
    (path / "cancel").unlink()
    assert diagnose(path, ["controls"], device="cpu").manifest.stages["controls"].state == "done"


def test_a_helper_that_stops_in_a_piece_loses_it(copied, slow, monkeypatch):
    """Its pulse ends, and the leader takes the piece over; it wakes when all is done."""
    monkeypatch.setattr(
        "cfs_explore.engine.leases.Leases.__init__.__kwdefaults__",
        Leases.__init__.__kwdefaults__ | {"lost": 1.0, "pulse": 0.2},
    )
    monkeypatch.setattr("cfs_explore.pipeline.stage_help.HANGS_SECONDS", 0.3)
    path, helped, woken, stopped = copied("run"), [], threading.Event(), []
    compute = Pieces._compute

    def stops(self, of, key, function):
        if not self._leads and not stopped:
            stopped.append(key)
            assert woken.wait(120)
        return compute(self, of, key, function)

    monkeypatch.setattr(Pieces, "_compute", stops)
    thread = helping(path, helped)
    run = diagnose(path, ["controls"], device="cpu")
    woken.set()
    thread.join(30)
    assert stopped and stopped[0] in slow[True] and not thread.is_alive()
    assert not (path / "work").exists()
    assert_same_tables(run, diagnose(copied("alone"), ["controls"], device="cpu"), ["controls"])
