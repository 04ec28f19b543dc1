"""Out of memory halves the batch and goes on; anything else is not swallowed."""

import numpy as np
import pytest
import torch

from cfs_explore.corruption import keyed_noise
from cfs_explore.errors import CFSError, RunCancelled
from cfs_explore.readings.loop import Reader
from cfs_explore.readings.snapshots import TapSnapshots

CPU_MESSAGES = [
    "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to get 9",
    "[enforce fail at alloc_cpu.cpp:121] data. DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes.",
]


@pytest.fixture
def limited(tiny):
    """Make the tiny network fail above a batch size; counts the batches that went through."""
    handles, batches = [], []

    def limit(largest: int, error: Exception):
        def refuse(_module, inputs):
            if len(inputs[0]) > largest:
                raise error
            batches.append(len(inputs[0]))

        handles.append(tiny.module.register_forward_pre_hook(refuse))
        return batches

    yield limit
    for handle in handles:
        handle.remove()


@pytest.fixture
def measure(tiny, tiny_images):
    """Extract 11 images at two levels with a batch size; gives the block and the reader."""

    def run(batch_size, **options):
        snapshots = TapSnapshots([tiny.match(5.0), tiny.match(0.0)], tiny.taps()[:5])
        reader = Reader(tiny, snapshots, batch_size=batch_size, **options)
        noise = keyed_noise([str(i) for i in range(11)], 1, (1, 8, 8))
        return reader(tiny_images[:11], noise), reader

    return run


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA"), *map(RuntimeError, CPU_MESSAGES)])
def test_halves_until_it_fits_and_loses_nothing(limited, measure, error):
    expected, _ = measure(64)
    done = []
    batches = limited(5, error)
    block, reader = measure(16, after_batch=done.append)
    np.testing.assert_allclose(block, expected, rtol=1e-4, atol=1e-5)
    assert reader.batch_size == 4  # 16, 8, 4: and it stays there
    assert batches == done == [4, 4, 4, 4, 4, 2]


def test_one_image_that_does_not_fit_is_a_clear_error(limited, measure):
    limited(0, torch.OutOfMemoryError("CUDA"))
    with pytest.raises(CFSError, match="One image at a time does not fit into the memory of cpu"):
        measure(8)


def test_other_errors_pass_through(limited, measure):
    limited(5, RuntimeError("shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        measure(16)


def test_cancelling_between_batches_passes_through(measure):
    def stop(_done):
        raise RunCancelled("stop")

    with pytest.raises(RunCancelled):
        measure(4, after_batch=stop)
