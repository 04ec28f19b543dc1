"""``status.json``: where a job stands, and whether its worker still lives."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import filelock
import psutil
import pydantic
from pydantic import NonNegativeInt

from cfs_explore.errors import RunError
from cfs_explore.jobs.locks import require
from cfs_explore.store.files import write_json

#: States that do not change any more.
FINAL = ("finished", "failed", "cancelled")
#: A process is a status's worker only if it began before the status was written, give or take clock resolution.
_CLOCK_SECONDS = 2.0
#: So long may a new worker be without a number.
_SPAWN_SECONDS = 20.0


@dataclass(frozen=True)
class Status:
    """Where a job stands.

    Attributes:
        state: "waiting" is for a device; ``FINAL`` are the last three.
        stage, detail, done, total, unit, rate, eta: of the last ProgressEvent.
        error: what went wrong and what to do, when failed.
        pid: of the worker.
        started: seconds since the epoch.
        place: in the queue for a device while waiting; 1 is the next to start.
        device: that it runs on.
        stages: diagnostics of a finished map that it computes, comma-separated; "" for what the spec asks for.
        restarts: how often the app started it again after its worker died without a message.
        born: when the worker began, in seconds since the machine started: clocks that are set do not move it.
    """

    state: Literal["starting", "waiting", "running", "finished", "failed", "cancelled"]
    stage: str = ""
    detail: str = ""
    done: NonNegativeInt = 0
    total: NonNegativeInt = 0
    unit: str = ""
    rate: float | None = None
    eta: float | None = None
    error: str = ""
    pid: NonNegativeInt = 0
    started: float = 0.0
    place: NonNegativeInt = 0
    device: str = ""
    stages: str = ""
    restarts: NonNegativeInt = 0
    born: float = 0.0


_STORED = pydantic.TypeAdapter(Status)


def read_status(run: Path) -> Status | None:
    """The job's status; None where there is none, or a damaged one, and no worker.

    A worker that died without a message reads as failed; one that is there but has reported nothing, as running.
    """
    status = stored_status(run)
    if status is None:
        return Status("running") if is_held(run) else None
    if is_orphaned(status) and not is_held(run):
        message = "The worker stopped without a message (killed, or out of memory). Start it again: it continues."
        return replace(status, state="failed", error=message)
    return status


def stored_status(run: Path) -> Status | None:
    """The status as it was last written, whether or not its worker still lives; None where it is missing or damaged.

    Raises:
        RunError: the file cannot be read.
    """
    try:
        return _STORED.validate_json((run / "status.json").read_bytes(), strict=True)
    except (FileNotFoundError, pydantic.ValidationError):
        return None
    except OSError as error:
        raise RunError(f"{run / 'status.json'} cannot be read: {error}") from error


def write_status(run: Path, status: Status) -> None:
    """Replace the job's status, atomically; on a full disk, in its old place, so that it can still be reported.

    Raises:
        RunError: the disk is full, and there is no old place; or nothing can be written; or the run was deleted or
            moved, and is not made anew.
    """
    path = run / "status.json"
    require(run)
    try:
        write_json(path, asdict(status), flush=False)  # twice a second; a power cut may lose the last one
    except RunError:
        if not path.is_file():
            raise
        text = json.dumps(asdict(status), ensure_ascii=False).encode()
        try:
            with path.open("rb+", buffering=0) as file:
                file.write(text.ljust(path.stat().st_size))
        except OSError:  # read-only
            pass
        else:
            return
        raise


def is_alive(status: Status | None) -> bool:
    """Whether the worker process of a status is still running."""
    if status is None or status.state in FINAL:
        return False
    if not status.pid:
        return abs(time.time() - status.started) < _SPAWN_SECONDS
    return is_running(status.pid, status.started, status.born)


def is_orphaned(status: Status) -> bool:
    """Whether the status speaks of a worker that is no more."""
    return status.state not in FINAL and not is_alive(status)


def is_held(run: Path) -> bool:
    """Whether a worker holds the run, of this or of another app; processes of other containers have no number here."""
    if not (run / "worker.lock").exists():
        return False
    lock = filelock.FileLock(run / "worker.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return True
    except OSError:  # no right to ask
        return False
    lock.release()
    return False


def is_running(pid: int, noted: float, born: float = 0.0) -> bool:
    """Whether a process still runs.

    Args:
        pid: its number, which the system may have given away again.
        noted: when it had that number, seconds since the epoch.
        born: what ``birth`` gave for it; 0: unknown, and the clock must do.
    """
    try:
        process = psutil.Process(pid)
        late = birth(pid) - born if born else process.create_time() - noted
        ours = -_CLOCK_SECONDS <= late <= _CLOCK_SECONDS if born else late <= _CLOCK_SECONDS
        return ours and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def birth(pid: int) -> float:
    """When a process began, in seconds since the machine started; 0 where it is gone."""
    try:
        return psutil.Process(pid).create_time() - psutil.boot_time()
    except psutil.Error:
        return 0.0
