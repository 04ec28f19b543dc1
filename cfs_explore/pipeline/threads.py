"""How many threads a worker computes with."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from threadpoolctl import threadpool_limits


@contextlib.contextmanager
def on_threads(threads: int | None) -> Iterator[None]:
    """Compute with so many threads, in torch and in numpy's linear algebra; None: as many as before.

    As OMP_NUM_THREADS does for a process that begins with it: numbers round by both.
    """
    if threads is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with threadpool_limits(threads, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(before)
