"""Forwards beside each other on a CPU's cores give what one after the other gives."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from cfs_explore.backbones import load_backbone
from cfs_explore.corruption import keyed_noise
from cfs_explore.errors import RunCancelled
from cfs_explore.readings import side_by_side as side_by_side_module
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.side_by_side import FEWEST, lanes, side_by_side
from cfs_explore.readings.snapshots import TapSnapshots
from cfs_explore.taps.capture import capture

CPU = torch.device("cpu")


@pytest.fixture
def three_cores():
    """Torch believes in three cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def backbone(save_unet):
    return load_backbone(save_unet(), schedule="ddpm-linear-1000", device="cpu")


def _snapshots(backbone, **options):
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, (50, *backbone.image_shape)).astype(np.float32)
    noise = keyed_noise([str(i) for i in range(50)], 2, backbone.input_shape)
    snapshots = TapSnapshots([backbone.match(0.0), backbone.match(2.0)], backbone.taps())
    return Reader(backbone, snapshots, **options)(images, noise)


def test_a_block_on_three_cores_is_that_of_one(backbone, three_cores):
    shared = [_snapshots(backbone) for _ in range(3)]
    assert lanes(64, CPU) == 3
    torch.set_num_threads(1)
    alone = _snapshots(backbone)
    for block in shared:
        np.testing.assert_allclose(block, alone, rtol=0, atol=1e-5)
        np.testing.assert_array_equal(block, shared[0])


def test_every_lane_has_its_cores_and_all_others_keep_theirs(three_cores):
    """Also a lane whose thread gets nothing to do at first, and meets torch when the process has its cores again."""
    side_by_side_module._pool.cache_clear()
    list(side_by_side(lambda part: None, 0, 1, 48, 2))
    both = threading.Barrier(2)

    def lane(part):
        both.wait()
        _beside(lambda: torch.set_num_threads(3))
        return threading.current_thread().name, torch.get_num_threads()

    found = dict(side_by_side(lane, 0, 48, 48, 2))
    assert len(found) == 2 and set(found.values()) == {1}
    assert _beside(torch.get_num_threads) == 3 and torch.get_num_threads() == 3


def _beside(function):
    """What a new thread gives."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def test_every_forward_is_counted_once(backbone, three_cores):
    counts = []
    _snapshots(backbone, after_batch=counts.append)
    assert sum(counts) == 2 * 2 * 50
    assert max(counts) == -(-64 // 3)


def test_small_batches_and_other_devices_take_one_lane(three_cores):
    assert lanes(2 * FEWEST - 1, CPU) == 1
    assert lanes(2 * FEWEST, CPU) == 2
    assert lanes(512, torch.device("cuda")) == 1


def test_cancelling_ends_when_the_parts_under_way_have(backbone, three_cores):
    def stop(done):
        raise RunCancelled("enough")

    with pytest.raises(RunCancelled):
        _snapshots(backbone, after_batch=stop)
    assert torch.get_num_threads() == 3
    assert _snapshots(backbone).shape[2] == 50  # the network is as it was: no hook is left


def test_what_a_part_raises_is_raised_once_the_others_have_ended(three_cores):
    running = set()

    def work(part):
        running.add(part.start)
        try:
            if part.start == 0:
                raise ValueError("the first part")
            threading.Event().wait(0.2)
        finally:
            running.discard(part.start)

    with pytest.raises(ValueError, match="the first part"):
        list(side_by_side(work, 0, 100, 48, 3))
    assert not running


def test_results_come_in_order_whoever_is_first(three_cores):
    def work(part):
        threading.Event().wait(0.1 if part.start == 0 else 0.0)
        return part.start

    assert list(side_by_side(work, 0, 100, 48, 3)) == list(range(0, 100, 16))


def test_memory_that_runs_out_in_one_part_makes_smaller_ones(backbone, three_cores, monkeypatch):
    whole = _snapshots(backbone)
    forward, sizes = type(backbone).forward, []

    def greedy(self, x, level):
        sizes.append(len(x))
        if len(x) > 10:
            raise torch.OutOfMemoryError("no room")
        return forward(self, x, level)

    monkeypatch.setattr(type(backbone), "forward", greedy)
    np.testing.assert_allclose(_snapshots(backbone), whole, rtol=0, atol=1e-5)
    assert min(sizes) <= 10 < max(sizes)


def test_a_hook_sees_the_forwards_of_its_own_thread_alone():
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1))
    seen = {}

    def run(value):
        with capture(net, ["0"], stop=False) as features:
            barrier.wait()
            net(torch.full((1, 3, 2, 2), value))
            barrier.wait()
        seen[value] = features["0"]

    barrier = threading.Barrier(2)
    threads = [threading.Thread(target=run, args=(value,)) for value in (0.0, 1.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) == {0.0, 1.0}
    for value in seen:
        with capture(net, ["0"]) as features:
            net(torch.full((1, 3, 2, 2), value))
        torch.testing.assert_close(seen[value], features["0"])
