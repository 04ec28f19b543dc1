"""Work that a page does not wait for: it goes on in a thread while the page is drawn and used, for all visitors.

A page asks for a task in every run: it starts with the first, and its result is kept for the next ones.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import streamlit as st

from cfs_explore.errors import CFSError

Result = TypeVar("Result")
Steps = Callable[[int, int], None]

#: Tasks that are remembered; a failure is tried again after these seconds.
_KEPT, _RETRY_SECONDS = 64, 60.0
#: Tasks that have not ended, of all visitors: what comes on top fails at once.
_MOST_OPEN = 64
#: Threads at work at a time, of each kind of task: a long one of another kind keeps none waiting.
_AT_ONCE = 2
#: What takes no longer shows no bar.
PATIENCE_SECONDS = 1.0
_POLL_SECONDS = 0.5


class Task(Generic[Result]):
    """One piece of work: how far it is, and its result or its failure.

    Attributes:
        done, total: steps, as far as the work reports them; total is 0 before it does.
    """

    def __init__(self, work: Callable[[Steps], Result], slots: threading.Semaphore) -> None:
        self.done, self.total = 0, 0
        self._work, self._slots = work, slots
        self._ended = threading.Event()
        self._result: Result | None = None
        self._failure: Exception | None = None
        self._failed_at = 0.0

    def start(self) -> Task[Result]:
        """Begin as soon as there is a slot."""
        threading.Thread(target=self._run, daemon=True).start()
        return self

    def fail(self, error: Exception) -> Task[Result]:
        """End without a result."""
        self._failure, self._failed_at = error, time.monotonic()
        self._ended.set()
        return self

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    @property
    def stale(self) -> bool:
        """Whether it failed long enough ago to be tried again."""
        return self.ended and self._failure is not None and time.monotonic() - self._failed_at > _RETRY_SECONDS

    def wait(self, seconds: float | None = None) -> bool:
        """Whether it has ended after so long at most; None: until it has."""
        return self._ended.wait(None if seconds is None else max(0.0, seconds))

    def result(self) -> Result | None:
        """Its result, None before it has ended.

        Raises:
            What the work raised.
        """
        if self.ended and self._failure is not None:
            raise self._failure
        return self._result

    def _run(self) -> None:
        with self._slots:
            try:
                self._result = self._work(self._step)
            except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
                self.fail(error if isinstance(error, Exception) else RuntimeError(f"The work ended early: {error!r}"))
            finally:
                self._ended.set()

    def _step(self, done: int, total: int) -> None:
        self.done, self.total = done, total


class _Tasks:
    """The last tasks of all visitors."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple, Task] = OrderedDict()
        self._lock = threading.Lock()
        self._slots: dict[str, threading.Semaphore] = defaultdict(lambda: threading.Semaphore(_AT_ONCE))

    def get(self, key: tuple, work: Callable[[Steps], Result]) -> Task[Result]:
        with self._lock:
            task = self._kept.get(key)
            if task is None or task.stale:
                task = Task(work, self._slots[key[0]])
                if sum(not other.ended for other in self._kept.values()) >= _MOST_OPEN:
                    return task.fail(CFSError("This server is busy with others' images. Try again in a minute."))
                self._kept[key] = task.start()
            self._kept.move_to_end(key)
            for old in [each for each, other in self._kept.items() if other.ended][: max(0, len(self._kept) - _KEPT)]:
                del self._kept[old]
            return task


@st.cache_resource(show_spinner=False)
def _tasks() -> _Tasks:
    return _Tasks()


def task(key: tuple, work: Callable[[Steps], Result]) -> Task[Result]:
    """The task of this key; ``work`` starts where there is none yet.

    Args:
        key: the kind of task, and everything that the result depends on.
        work: called with a function that takes (done, total); it must use nothing of Streamlit.
    """
    return _tasks().get(key, work)


def wait(tasks: Sequence[Task], seconds: float | None = None) -> None:
    """Until all have ended, at most ``PATIENCE_SECONDS`` or so long."""
    deadline = time.monotonic() + (PATIENCE_SECONDS if seconds is None else seconds)
    for each in tasks:
        each.wait(deadline - time.monotonic())


@st.fragment(run_every=_POLL_SECONDS)
def watch(pending: Task, text: str) -> None:
    """A bar until the task has ended; then the page is made again, with its result.

    Args:
        pending: the task.
        text: what is being done, in Markdown.
    """
    if pending.ended:
        st.rerun(scope="app")
    if pending.total:
        st.progress(pending.done / pending.total, f"{text}: {pending.done:,} of {pending.total:,}")
    else:
        st.info(f"{text}.", icon="spinner")
