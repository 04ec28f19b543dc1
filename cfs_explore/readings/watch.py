"""Whether to stop is asked while a reading of many forwards is under way, not only when it is done."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

from cfs_explore.backbones.base import Backbone
from cfs_explore.errors import RunCancelled
from cfs_explore.readings.side_by_side import SECONDS

#: Whose forwards a thread makes.
_here = threading.local()
T = TypeVar("T")


class Watch:
    """What asks, and stops the threads that read once the answer was an error.

    Args:
        after_batch: as of ``loop.Reader``; called on the thread that made the watch alone.
    """

    def __init__(self, after_batch: Callable[[int], None]):
        self._after_batch, self._thread = after_batch, threading.current_thread()
        self._stopped, self._asked = threading.Event(), time.monotonic()

    def ask(self, done: int = 0) -> None:
        """Tell how many forwards were done; raises what ``after_batch`` does, and so do all threads then."""
        self._asked = time.monotonic()
        try:
            self._after_batch(done)
        except BaseException:
            self._stopped.set()
            raise

    def of(self, function: Callable[[slice], T]) -> Callable[[slice], T]:
        """The same function, whose forwards are watched; those of others that share the network are not."""

        def watched(part: slice) -> T:
            _here.watch = self
            try:
                return function(part)
            finally:
                _here.watch = None

        return watched

    @contextlib.contextmanager
    def on(self, backbone: Backbone, forwards: int) -> Iterator[None]:
        """Ask before each of the watched forwards, every second at most, where a reading takes several."""
        if forwards == 1:
            yield
            return
        handle = backbone.module.register_forward_pre_hook(self._before_forward)
        try:
            yield
        finally:
            handle.remove()

    def _before_forward(self, network: torch.nn.Module, inputs: tuple) -> None:
        if getattr(_here, "watch", None) is not self:
            return
        if self._stopped.is_set():
            raise RunCancelled("The reading was stopped.")
        if threading.current_thread() is self._thread and time.monotonic() - self._asked > SECONDS:
            self.ask()
