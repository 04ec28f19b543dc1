"""What is made ahead of the forwards of a GPU: the same arrays in the same order, and no thread that stays."""

import contextlib
import threading

import numpy as np
import pytest
import torch

from cfs_explore.errors import RunCancelled
from cfs_explore.pipeline import ahead, explore
from cfs_explore.pipeline.ahead import Ahead
from cfs_explore.pipeline.measure import Measurement
from cfs_explore.pipeline.progress import Progress
from cfs_explore.pipeline.stages import Study
from cfs_explore.readings.transfer import on_device, pinned

CPU, GPU = torch.device("cpu"), torch.device("cuda:3")


def threads():
    return [each for each in threading.enumerate() if each.name.startswith("ahead")]


@pytest.fixture
def beside(monkeypatch):
    """As if forwards left the cores idle."""
    monkeypatch.setattr(ahead, "runs_beside", lambda device: True)


def test_only_a_gpu_leaves_the_cores_idle():
    made = []
    for device, then in ((CPU, []), (GPU, [1])):
        each = Ahead(made.append, device)
        each.get(0, 1)
        each.close()
        assert made == [0, *then] and not threads()
        made.clear()


def test_in_order_and_never_two_at_once(beside):
    """Also where another one is asked for than was begun."""
    busy, made = threading.Lock(), []

    def make(number):
        assert busy.acquire(blocking=False)
        made.append((number, threading.current_thread() is threading.main_thread()))
        busy.release()
        return number * 10

    with contextlib.closing(Ahead(make, CPU)) as each:
        assert [each.get(k, then) for k, then in ((0, 1), (1, 2), (2, 3), (5, 6), (6, None), (7, None))] == [
            0, 10, 20, 50, 60, 70
        ]  # fmt: skip
    assert made == [(0, True), (1, False), (2, False), (3, False), (5, True), (6, False), (7, True)]
    assert not threads()


def test_an_error_is_raised_where_it_is_asked_for(beside):
    def make(number):
        if number == 1:
            raise ValueError("one")
        return number

    each = Ahead(make, CPU)
    assert each.get(0, 1) == 0
    with pytest.raises(ValueError, match="one"):
        each.get(1, 2)
    assert each.get(0, 1) == 0 and each.get(3, None) == 3  # nobody asks for 1
    each.close()
    assert not threads()


def test_a_map_and_a_study_are_the_same(quick_spec, tiny, tmp_path, monkeypatch):
    """Bit by bit; all shards but each set's first, and all blocks of a study but the first, come from the thread."""
    monkeypatch.setattr("cfs_explore.pipeline.stages.study.block_size", lambda reader, draws: 4)
    prepare, found, made = Measurement.prepare, [], []

    def noted(self, *arguments):
        made.append(threading.current_thread() is threading.main_thread())
        return prepare(self, *arguments)

    monkeypatch.setattr(Measurement, "prepare", noted)
    for is_on in (False, True):
        monkeypatch.setattr(ahead, "runs_beside", lambda device, is_on=is_on: is_on)
        made.clear()
        run = explore(quick_spec | {"shard_size": 3}, tmp_path / f"run-{is_on}", device="cpu")
        study = Study(run, Progress(), backbone=tiny)
        study.progress.start("test", 20, "forwards")
        blocks = list(study.blocks(study.sample("id_train", limit=10), run.levels))
        assert [part.start for part, _ in blocks] == [0, 4, 8]
        arrays = [run.scores("id_test"), run.scores("ood", "bright"), run.moments("id_train").mean]
        found.append([*arrays, *(block for _, block in blocks)])
        assert sum(made) == (len(run.manifest.sets) if is_on else len(made)) and len(made) > 6
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not threads()


def test_no_thread_stays_after_a_cancel(quick_spec, beside, tmp_path):
    seen = []

    def cancelled():
        seen.extend(threads())
        return bool(seen)

    with pytest.raises(RunCancelled):
        explore(quick_spec | {"shard_size": 3}, tmp_path / "run", device="cpu", cancelled=cancelled)
    assert seen and not threads()


def test_arrays_for_a_gpu_lie_in_pinned_memory(monkeypatch):
    """Pinned on that GPU, copied without waiting; for a CPU, and without such memory, they stay as they are."""
    values, calls = np.arange(6, dtype=np.float32).reshape(2, 3)[:, ::-1], []

    @contextlib.contextmanager
    def at(device):
        calls.append(("at", device))
        yield

    monkeypatch.setattr(torch.cuda, "device", at)
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: calls.append("pin") or self.clone())
    monkeypatch.setattr(torch.Tensor, "is_pinned", lambda self: True)
    monkeypatch.setattr(torch.Tensor, "to", lambda self, device, non_blocking: calls.append(non_blocking) or self)
    assert pinned(values, CPU) is values and not calls
    there = pinned(values, GPU)
    assert calls == [("at", GPU), "pin"]
    np.testing.assert_array_equal(on_device(there, GPU).numpy(), values)
    np.testing.assert_array_equal(on_device(values, CPU).numpy(), values)
    assert calls[2:] == [True, False]

    def none_left(self):
        raise RuntimeError("CUDA error: out of memory")

    monkeypatch.setattr(torch.Tensor, "pin_memory", none_left)
    assert pinned(values, GPU) is values
