"""start.lock of a run: held while a worker of it is started, begins, or is noted as ended, and while it is deleted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import filelock

from cfs_explore.errors import RunError


@contextlib.contextmanager
def starting(run: Path) -> Iterator[None]:
    """Hold start.lock of a run that is there.

    Raises:
        RunError: it was deleted or moved, before or while this waited for the lock; nothing of it is made anew.
    """
    require(run)
    lock = filelock.FileLock(run / "start.lock")
    try:
        lock.acquire()
    except FileNotFoundError:
        require(run)
        raise
    try:
        if not is_there(run):  # some versions of the library make the folder again
            with contextlib.suppress(OSError):
                (run / "start.lock").unlink()
                run.rmdir()
        require(run)
        yield
    finally:
        lock.release()


def is_there(run: Path) -> bool:
    """Whether there is something to start."""
    return (run / "spec.yaml").is_file()


def require(run: Path) -> None:
    """Make sure that a run is there.

    Raises:
        RunError: it was deleted or moved meanwhile, or has lost its spec.
    """
    if not is_there(run):
        if (run / "manifest.json").is_file():
            raise RunError(f"{run.name} has no spec.yaml any more. Put it back, or take the exploration from its zip.")
        raise RunError(f"{run.name} is not there any more: it was deleted or moved meanwhile.")
