"""What a GPU needs next, made in a thread while it computes. Beside forwards on a CPU no core is idle: nothing is."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

import torch

Made = TypeVar("Made")


class Ahead(Generic[Made]):
    """Makes things by number; what is probably asked for next is begun at once, where that is worth it.

    Args:
        make: a thing by its number; never called twice at the same time.
        device: of the forwards.
    """

    def __init__(self, make: Callable[[int], Made], device: torch.device):
        self._make, self._is_on = make, runs_beside(device)
        self._thread: ThreadPoolExecutor | None = None
        self._next: tuple[int, Future[Made]] | None = None

    def get(self, number: int, then: int | None) -> Made:
        """What ``make(number)`` gives, or raises; and from now on ``then`` is made, unless None.

        An error in something that nobody asks for is not raised.
        """
        (begun, future), self._next = self._next or (None, None), None
        if future is not None:
            wait([future])
        made = future.result() if begun == number else self._make(number)
        if then is not None and self._is_on:
            self._thread = self._thread or ThreadPoolExecutor(1, thread_name_prefix="ahead")
            self._next = then, self._thread.submit(self._make, then)
        return made

    def close(self) -> None:
        """End the thread, as soon as it has made what it is at."""
        self._next = None
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)
            self._thread = None


def runs_beside(device: torch.device) -> bool:
    """Whether forwards leave the cores of this computer idle."""
    return device.type == "cuda"
