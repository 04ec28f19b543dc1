"""Pieces of work done by whoever is free: the leader takes their results in order, helpers compute ahead of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from cfs_explore.engine.leases import Leases
from cfs_explore.store.files import BAD_ARRAYS, load_arrays, save_arrays

Arrays = dict[str, np.ndarray]
#: Seconds between two looks at what others do.
PAUSE = 0.02


class Crew:
    """One worker's part. Pieces are pure: whoever computes one gives the same arrays.

    Args:
        folder: shared by all workers.
        leases: of this worker, in the same folder.
    """

    def __init__(self, folder: Path, leases: Leases):
        self._results, self._leases = folder / "results", leases
        self._results.mkdir(parents=True, exist_ok=True)

    def get(
        self, names: Sequence[str], compute: Callable[[str], Arrays], waiting: Callable[[], None] = lambda: None
    ) -> Arrays:
        """The result of the first piece; while another worker is at it, the next ones are computed.

        Args:
            names: pieces in the order in which their results are wanted; all but the first may be computed ahead.
            compute: a piece by its name.
            waiting: called now and then while there is nothing to do; it may raise to stop.
        """
        while True:
            found = self._result(names[0])
            if found is not None:
                return found
            ahead = self._free(names)
            if ahead is None:
                waiting()
                time.sleep(PAUSE)
            elif ahead == names[0]:
                try:
                    return compute(ahead)
                finally:
                    self._leases.give_back(ahead)
            else:
                self._do(ahead, compute)

    def help(self, names: Sequence[str], compute: Callable[[str], Arrays], wanted: Callable[[str], bool]) -> bool:
        """Compute the first piece that nobody has; whether there was one.

        Args:
            names, compute: as of ``get``.
            wanted: whether a piece still is, asked once it is taken: its result may have been used meanwhile.
        """
        name = self._free(names)
        if name is None:
            return False
        if wanted(name):
            self._do(name, compute)
        else:
            self._leases.give_back(name)
        return True

    def forget(self, name: str) -> None:
        """The result of a piece has been used."""
        with contextlib.suppress(OSError):
            self._path(name).unlink()

    def _free(self, names: Sequence[str]) -> str | None:
        """The first piece without a result that this worker could take."""
        for name in names:
            if not self._path(name).exists() and self._leases.take(name):
                if not self._path(name).exists():
                    return name
                self._leases.give_back(name)  # it was done just now
        return None

    def _do(self, name: str, compute: Callable[[str], Arrays]) -> None:
        """Compute a piece and put its result where the leader finds it; nowhere, if the leader has gone meanwhile."""
        try:
            aside, arrays = self._path(f"{name}.{self._leases.worker}"), compute(name)
            if self._results.is_dir():  # saving would make it again
                save_arrays(aside, arrays, flush=False)
                os.replace(aside, self._path(name))
        finally:
            self._leases.give_back(name)

    def _result(self, name: str) -> Arrays | None:
        """What a worker computed; None where it is not there. A damaged one is computed again."""
        path = self._path(name)
        if not path.exists():
            return None
        try:
            return load_arrays(path)
        except BAD_ARRAYS:
            self.forget(name)
            return None

    def _path(self, name: str) -> Path:
        return self._results / f"{name}.npz"


def clear(folder: Path) -> None:
    """Forget what a former leader and its helpers left."""
    shutil.rmtree(folder, ignore_errors=True)
