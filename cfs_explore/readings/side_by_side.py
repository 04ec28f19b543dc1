"""Parts of a block beside each other on a CPU: a core for each is faster than all cores for each in turn."""

from __future__ import annotations

import functools
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

import torch

#: Forwards of a part at least: below, what a forward costs without any image begins to count.
FEWEST = 16
#: Between two calls of what is asked meanwhile.
SECONDS = 1.0
T = TypeVar("T")


def lanes(batch: int, device: torch.device) -> int:
    """How many parts of a batch are computed at once; one where it is small, or not on a CPU."""
    return max(1, min(batch // FEWEST, torch.get_num_threads())) if device.type == "cpu" else 1


def side_by_side(
    function: Callable[[slice], T],
    start: int,
    stop: int,
    batch: int,
    at_once: int,
    meanwhile: Callable[[], None] = lambda: None,
) -> Iterator[T]:
    """``function`` of each part of ``range(start, stop)``, in order, ``at_once`` of them beside each other.

    Args:
        function: of a slice; runs on threads that share torch's cores when there are several.
        start, stop: the range.
        batch: how much is under way at a time, over all parts.
        at_once: from ``lanes``.
        meanwhile: called every second that the next part takes, where there are several at once.

    Raises:
        What ``function`` and ``meanwhile`` raise; the parts under way have ended by then, and when the iterator is
        closed.
    """
    size = -(-batch // at_once)
    parts = (slice(begin, min(begin + size, stop)) for begin in range(start, stop, size))
    if at_once == 1:
        yield from map(function, parts)
        return
    pool = _pool(at_once, torch.get_num_threads() // at_once)
    running: deque[Future[T]] = deque(pool.submit(function, part) for part in islice(parts, at_once + 1))
    try:
        while running:
            while not wait([running[0]], timeout=SECONDS).done:
                meanwhile()
            yield running.popleft().result()
            running.extend(pool.submit(function, part) for part in islice(parts, 1))
    finally:
        for future in running:
            future.cancel()
        wait(running)


@functools.cache
def _pool(threads: int, cores: int) -> ThreadPoolExecutor:
    """Threads that use ``cores`` cores each: all have begun, and have said so to torch.

    A thread takes torch's number for the whole process when it first asks, even after it was given one of its own. A
    thread that began late would so compute with other cores, and round otherwise, than those beside it.
    """
    everyone, before = threading.Barrier(threads), torch.get_num_threads()

    def settle() -> None:
        torch.get_num_threads()
        torch.set_num_threads(cores)
        everyone.wait()

    pool = ThreadPoolExecutor(threads, thread_name_prefix="forwards")
    wait([pool.submit(settle) for _ in range(threads)])
    torch.set_num_threads(before)  # of the process again
    return pool
