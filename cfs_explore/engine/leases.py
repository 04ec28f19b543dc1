"""Who works on what: a file for each piece that is taken and a pulse for each worker, in a folder that all of them see.

Clocks are never compared: a worker is taken for lost when its pulse has not changed for a while by the watch of whoever
looks. One that was only slow, and wakes later, does no harm: a piece gives the same result whoever computes it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from cfs_explore.errors import FolderError

#: Seconds without a pulse after which a worker is lost, and between two pulses.
LOST_SECONDS, PULSE_SECONDS = 20.0, 2.0


class Leases:
    """What one worker takes and gives back; a context, in which its pulse beats.

    Args:
        folder: shared by all workers; made if it is not there.
        lost: seconds without a pulse after which another worker is taken for lost.
        pulse: seconds between two beats of the own pulse.
        watch: seconds that go by on this computer.
        patience: seconds that one piece may take; after that the pulse stops, so that others take it over.

    Attributes:
        worker: the name of this one.
    """

    def __init__(
        self,
        folder: Path,
        *,
        lost: float = LOST_SECONDS,
        pulse: float = PULSE_SECONDS,
        watch: Callable[[], float] = time.monotonic,
        patience: Callable[[], float] = lambda: float("inf"),
    ):
        self.worker = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._taken, self._pulses = folder / "taken", folder / "pulses"
        self._lost, self._pulse, self._watch, self._patience = lost, pulse, watch, patience
        self._seen: dict[str, tuple[str, float]] = {}  # worker -> its last pulse, and when it was first seen
        self._beats = itertools.count()
        self._held: set[str] = set()
        self._since: float | None = None  # when the piece that is under way was taken
        self._end = threading.Event()

    def __enter__(self) -> Leases:
        for each in (self._taken, self._pulses):
            each.mkdir(parents=True, exist_ok=True)
        self._name = self._pulses / f"{self.worker}.name"
        self._name.write_text(self.worker, encoding="ascii")
        self.beat()
        self._thread = threading.Thread(target=self._keep_beating, name="pulse", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception) -> None:
        self._end.set()
        self._thread.join()
        for path in (self._pulses / self.worker, self._name):
            with contextlib.suppress(OSError):
                path.unlink()

    def beat(self) -> None:
        """Say that this worker is there."""
        with contextlib.suppress(OSError):  # a folder that is gone, or a disk that is full, is met by the work itself
            (self._pulses / self.worker).write_text(str(next(self._beats)), encoding="ascii")

    def take(self, name: str) -> bool:
        """Whether the piece is this worker's now: nobody has it, or who had it is lost.

        Raises:
            FolderError: the folder is not there any more, or takes nothing.
        """
        path = self._taken / name
        created, owner = self._create(path), _read(path)
        # a shared file system that sends a request twice says of the link that it just made that it was there
        if created or (owner == self.worker and name not in self._held):
            self._held.add(name)
            self._since = self._watch()
            return True
        if owner is None or owner == self.worker or self.is_there(owner):
            return False
        heir = f"{name}.heir"  # the right to take it over is a piece, too: it has one owner, who may be lost as well
        if not self.take(heir):
            return False
        try:
            return self._take_over(path, owner)
        finally:
            self.give_back(heir)

    def give_back(self, name: str) -> None:
        """The piece is done, or given up; it may be another's by now."""
        path = self._taken / name
        self._held.discard(name)
        self._since = self._watch() if self._held else None  # a piece may take others on its way
        with contextlib.suppress(OSError):
            if _read(path) == self.worker:
                path.unlink()

    def go_on(self) -> None:
        """The piece that is under way is: its patience begins anew."""
        if self._since is not None:
            self._since = self._watch()

    def holder(self, name: str) -> str | None:
        """Who has a piece and is there; None where it is free."""
        owner = _read(self._taken / name)
        return owner if owner is not None and (owner == self.worker or self.is_there(owner)) else None

    def is_there(self, worker: str) -> bool:
        """Whether a worker's pulse was there, or changed, within the last ``lost`` seconds."""
        now, pulse = self._watch(), _read(self._pulses / worker)
        before = self._seen.get(worker)
        if before is None or before[0] != pulse:
            self._seen[worker] = (pulse, now)
            return pulse is not None or before is not None
        return now - before[1] < self._lost

    def others(self) -> list[str]:
        """The other workers whose pulse beats."""
        try:
            found = sorted(path.name for path in self._pulses.iterdir() if not path.suffix)
        except OSError:
            return []
        return [worker for worker in found if worker != self.worker and self.is_there(worker)]

    def _create(self, path: Path) -> bool:
        """Whether the file was not there and is now, with this worker's name in it from the first moment on."""
        try:
            os.link(self._name, path)
        except FileExistsError:
            return False
        except OSError as error:
            raise FolderError(
                f"{path.parent} does not take what this worker wants to work on ({error.strerror}). The folder must be "
                "there and writable, on a file system that has hard links."
            ) from error
        return True

    def _take_over(self, path: Path, owner: str) -> bool:
        """Whether the file names this worker now; not where somebody was faster, or the owner gave it back."""
        if _read(path) != owner:
            return False
        aside = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
        if not self._create(aside):
            return False
        aside.replace(path)  # no moment without an owner
        self._held.add(path.name)
        self._since = self._watch()
        return True

    def _keep_beating(self) -> None:
        while not self._end.wait(self._pulse):
            since = self._since
            if since is None or self._watch() - since < self._patience():
                self.beat()


def _read(path: Path) -> str | None:
    """A small file's text; None where it is not there."""
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return None
