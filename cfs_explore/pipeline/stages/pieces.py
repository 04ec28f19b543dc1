"""The pieces of a stage: named arrays that are kept, each computed by whichever of the run's workers takes it first.

All workers run the same code of a stage. A piece that another one computes is waited for, or left for later where there
are others to do (``Pieces.each``), and taken over once whoever had it is lost. A piece gives the same arrays whoever
computes it, so every number of a stage is that of one worker with as many threads; but for times, which are those of
a computer that other workers use, too.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np

from cfs_explore.engine import Leases
from cfs_explore.errors import CFSError, DamageError, FolderError, RunCancelled
from cfs_explore.store.files import BAD_ARRAYS, load_arrays, save_arrays

Arrays = dict[str, np.ndarray]
Result = TypeVar("Result")
#: Seconds between two looks at what other workers do.
PAUSE = 0.02
#: Beside the arrays that a stage keeps: what they were kept under.
_KEY = "kept under"


class Left(Exception):  # noqa: N818 - control flow, not an error
    """All pieces of the stage are there: what follows is the leader's alone."""


class _Elsewhere(Exception):  # noqa: N818 - control flow, not an error
    """Other workers compute these pieces, and something else may be done meanwhile.

    Attributes:
        names: of the pieces.
    """

    def __init__(self, names: set[str]):
        super().__init__(names)
        self.names = names


class Pieces:
    """One worker's part in the pieces of a run's stages.

    Args:
        folder: where they are kept.
        advance: counts forwards and says what goes on; raises where the work is to stop.

    Attributes:
        computed: how many this worker has computed.
    """

    def __init__(self, folder: Path, advance: Callable[[int, str], None]):
        self._folder, self._advance = folder, advance
        self._leases: Leases | None = None
        self._leads = True
        self._counted: set[str] = set()
        self._depth = 0
        self.computed = 0

    def share(self, leases: Leases, *, leads: bool) -> None:
        """From now on with other workers.

        Args:
            leases: of this worker.
            leads: whether it is the one that makes the tables.
        """
        self._leases, self._leads = leases, leads

    def begin(self) -> None:
        """Of another stage: its pieces are counted anew."""
        self._counted.clear()

    def alone(self) -> None:
        """The pieces of the stage are there. Raises ``Left`` in a worker that only helps."""
        if not self._leads:
            raise Left

    def get(self, key: str, forwards: int, compute: Callable[[], Arrays]) -> Arrays:
        """The arrays under a key: those that are there, or that another worker makes, or else computed and kept now.

        Args:
            key: unique within the run, such as "controls/untrained-0/letters".
            forwards: what computing takes; counted once, also where it was done before or elsewhere.
            compute: gives named arrays.
        """
        path = self._folder / f"{key}.npz"  # a key may hold dots
        while (found := _load(path, key)) is None:
            with self._taken(key) as is_ours:
                if is_ours and (found := _load(path, key)) is None:  # it may have been done just now
                    return self._compute(path, key, compute)
        if key not in self._counted:
            self._counted.add(key)
            self._advance(forwards, "")
        return found

    def once(self, name: str, is_there: Callable[[], bool], make: Callable[[], None]) -> None:
        """Have something made by one of the workers that is no arrays.

        Args:
            name: unique among it and the keys.
            is_there: whether it is made.
            make: makes it.
        """
        while not is_there():
            with self._taken(name) as is_ours:
                if is_ours and not is_there():
                    make()
                    return

    def each(self, calls: Sequence[Callable[[], Result]]) -> list[Result]:
        """What independent calls give, in their order; each may ask for pieces, one after the other.

        Where another worker is at a piece of one, this one goes on with the next; a call begins anew then, and finds
        the pieces that it had. Of several errors, the first call's is raised, as if they had been called in turn.
        """
        results: dict[int, Result] = {}
        left, waits = dict(enumerate(calls)), {}
        failed: CFSError | None = None
        while left:
            ready = [index for index in left if not self._elsewhere(waits.get(index, set()))]
            for index in ready:
                if index not in left:  # behind one that failed
                    break
                self._depth += 1
                try:
                    results[index] = left[index]()
                    del left[index]
                except _Elsewhere as other:
                    waits[index] = other.names
                except (RunCancelled, DamageError, FolderError):
                    raise
                except CFSError as error:
                    failed, left = error, {k: call for k, call in left.items() if k < index}
                finally:
                    self._depth -= 1
            if left and not ready:
                self._wait(set().union(*(waits[index] for index in left)))
        if failed is not None:
            raise failed
        return [results[index] for index in range(len(calls))]

    @contextmanager
    def _taken(self, name: str) -> Iterator[bool]:
        """Take a piece, and give it back; waits a moment where it is another's."""
        if self._leases is None:
            yield True
            return
        lease = _lease(name)
        if not self._leases.take(lease):
            self._wait({name})
            yield False
            return
        try:
            yield True
        finally:
            self._leases.give_back(lease)

    def _compute(self, path: Path, key: str, compute: Callable[[], Arrays]) -> Arrays:
        arrays = compute()
        self._counted.add(key)
        self.computed += 1
        if self._leases is None:
            save_arrays(path, arrays | {_KEY: np.array(key)})
            return arrays
        if not self._leads:
            self._advance(0, "")  # raises where the stage was closed meanwhile: saving would make its folder again
        aside = path.with_name(f"{path.name}.{self._leases.worker}")  # one that was taken for lost may wake up and save
        save_arrays(aside, arrays | {_KEY: np.array(key)})
        os.replace(aside, path)
        return arrays

    def _elsewhere(self, names: set[str]) -> bool:
        """Whether others are at all of these pieces; of none, no."""
        return bool(names) and all(self._leases.holder(_lease(name)) for name in names)

    def _wait(self, names: set[str]) -> None:
        """There is nothing to do here before others have done these; within ``each``, its other calls come first."""
        if self._depth:
            raise _Elsewhere(names)
        self._advance(0, "waiting for another worker")
        time.sleep(PAUSE)


def _lease(name: str) -> str:
    """A file name of a piece, whatever letters a set's name has in its key."""
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


def _load(path: Path, key: str) -> Arrays | None:
    """What was kept under a key; None where it is not there, damaged, or another's."""
    try:
        found = load_arrays(path)
        return found if str(found.pop(_KEY)) == key else None
    except BAD_ARRAYS:
        return None
