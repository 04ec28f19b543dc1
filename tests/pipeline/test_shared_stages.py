"""Diagnostics and detectors by several workers: bit by bit what one alone computes."""

import shutil
import threading
import time

import pandas as pd
import pytest
import slow_workers

from cfs_explore.engine import Leases
from cfs_explore.errors import RunCancelled
from cfs_explore.pipeline import diagnose, explore
from cfs_explore.pipeline.crew import join
from cfs_explore.pipeline.stages import study
from cfs_explore.pipeline.stages.pieces import Pieces
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
def small(tiny_spec, kept_training, tmp_path_factory):
    """A finished map of few images and taps, of a network whose training kept weights; its inputs are still there."""
    few = {"backbone": str(kept_training), "taps": ["conv_in", "up_blocks.0.resnets.1"], "draws": 1}
    spec = tiny_spec(24, 8, name="small", diagnostics="map", detectors={"train": 8, "images": 4, "budget": 20.0}, **few)
    return explore(spec, tmp_path_factory.mktemp("small") / "run", device="cpu")


@pytest.fixture
def copied(small, tmp_path):
    """A copy of the finished run."""
    return lambda name: shutil.copytree(small.path, tmp_path / name)


@pytest.fixture
def slow(monkeypatch):
    """The leader takes its time, so that a helper has something to do; gives the keys that the leader computed."""
    compute, own = Pieces._compute, []

    def slowly(self, path, key, function):
        own.append(key)
        time.sleep(0.1)
        return compute(self, path, key, function)

    monkeypatch.setattr(Pieces, "_compute", slowly)
    return own


@pytest.fixture
def helping():
    """Starts a helper in a process of its own, since torch chooses kernels for a whole process; gives what ends it.

    That waits for the helper, and gives how many pieces it has computed, or which error it met.
    """
    context, started = slow_workers.processes(), []

    def start(path, slow=False):
        counts = context.Queue()
        started.append(context.Process(target=slow_workers.help_and_count, args=(path, counts, slow)))
        started[-1].start()
        assert counts.get(timeout=120) == "ready"  # to load torch takes longer than a stage
        return lambda: counts.get(timeout=120)

    yield start
    for process in started:
        process.kill()
        process.join()


def after_a_helper(path, compute):
    """Computes when a helper has come: a stage of few pieces would be over, and nobody lead the run any more."""

    def waiting(*arguments):
        end = time.monotonic() + 60
        while len(list(path.glob("work/crew/*/pulses/*.name"))) < 2 and time.monotonic() < end:
            time.sleep(0.02)
        return compute(*arguments)

    return waiting


def assert_same_tables(one, other, stages):
    for table in (table for name in stages for table in DIAGNOSTICS[name].table_names if table != TIMED):
        left, right = (run.table(table).drop(columns=TIMES, errors="ignore") for run in (one, other))
        pd.testing.assert_frame_equal(left, right, check_exact=True)


@pytest.mark.parametrize("stage", [name for name in DIAGNOSTICS if name not in STANDARD])
def test_a_stage_with_a_helper(stage, copied, slow, helping, monkeypatch):
    """Its tables; no piece is computed by both."""
    alone = diagnose(copied("alone"), [stage], device="cpu", threads=1)
    pieces = set(slow) - {"detectors/product"}  # that is timed by the leader, alone
    slow.clear()
    path = copied("shared")
    helped = helping(path)
    monkeypatch.setattr(Pieces, "_compute", after_a_helper(path, Pieces._compute))
    shared = diagnose(path, [stage], device="cpu", threads=1)
    assert alone.manifest.stages[stage].state == shared.manifest.stages[stage].state == "done"
    assert_same_tables(shared, alone, [stage])
    own = set(slow) - {"detectors/product"}
    assert helped() == len(pieces - own) and own <= pieces
    assert not (path / "work").exists()


def test_images_that_are_read_again_are_read_once(copied, slow, helping, monkeypatch):
    """The run has dropped its inputs, and both workers need them."""
    path, read = copied("run"), []
    shutil.rmtree(path / "work", ignore_errors=True)
    prepare = study.prepare_sets

    def reading(spec, planned, *arguments, **options):
        read.extend(each.work.folder.name for each in planned)
        time.sleep(0.5)
        return prepare(spec, planned, *arguments, **options)

    monkeypatch.setattr(study, "prepare_sets", reading)
    helped = helping(path)
    diagnose(path, ["controls"], device="cpu")
    assert helped() > 0 and len(read) == len(set(read))


def test_a_cancelled_diagnosis_lets_its_helpers_go_and_goes_on_later(copied, slow, helping):
    path = copied("run")
    helped = helping(path, slow=True)

    def cancelled():
        crew, kept = path / "work" / "crew", path / "work" / "diagnose"
        if len(list(crew.glob("*/taken/*"))) > 1 and any(kept.rglob("*.npz")):  # both are at it
            (path / "cancel").touch()
        return (path / "cancel").exists()

    with pytest.raises(RunCancelled):
        diagnose(path, ["controls"], device="cpu", cancelled=cancelled)
    since = time.monotonic()
    ended = helped()  # told so, or by then the board is closed
    assert (ended == "RunCancelled" or isinstance(ended, int)) and time.monotonic() - since < 5
    (path / "cancel").unlink()
    assert diagnose(path, ["controls"], device="cpu").manifest.stages["controls"].state == "done"


def test_a_helper_that_stops_in_a_piece_loses_it(copied, slow, monkeypatch):
    """Its pulse ends, and the leader takes the piece over; it wakes when all is done."""
    quick = Leases.__init__.__kwdefaults__ | {"lost": 1.0, "pulse": 0.2}
    monkeypatch.setattr("cfs_explore.engine.leases.Leases.__init__.__kwdefaults__", quick)
    monkeypatch.setattr("cfs_explore.pipeline.stage_help.HANGS_SECONDS", 0.3)
    path, woken, stopped = copied("run"), threading.Event(), []
    compute = Pieces._compute

    def stops(self, of, key, function):
        if not self._leads and not stopped:
            stopped.append(key)
            assert woken.wait(120)
        return compute(self, of, key, function)

    monkeypatch.setattr(Pieces, "_compute", stops)
    thread = threading.Thread(target=join, args=(path,), kwargs={"device": "cpu", "patience": float("inf")})
    thread.start()
    run = diagnose(path, ["controls"], device="cpu")
    woken.set()
    thread.join(30)
    assert stopped and stopped[0] in slow and not thread.is_alive()
    assert not (path / "work").exists()
    assert_same_tables(run, diagnose(copied("alone"), ["controls"], device="cpu"), ["controls"])
