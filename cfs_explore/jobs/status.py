"""``status.json``: where a job stands, and whether its worker still lives."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil

from cfs_explore.errors import RunError
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
        state: "starting", "waiting" (for a device), "running", or one of ``FINAL``.
        stage, detail, done, total, unit, rate, eta: of the last ProgressEvent.
        error: what went wrong and what to do, when failed.
        pid: of the worker.
        started: seconds since the epoch.
        place: in the queue for a device while waiting; 1 is the next to start.
        device: that it runs on.
        stages: diagnostics of a finished map that it computes, comma-separated; "" for what the spec asks for.
        restarts: how often the app started it again after its worker died without a word.
    """

    state: str
    stage: str = ""
    detail: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""
    rate: float | None = None
    eta: float | None = None
    error: str = ""
    pid: int = 0
    started: float = 0.0
    place: int = 0
    device: str = ""
    stages: str = ""
    restarts: int = 0


def read_status(run: Path) -> Status | None:
    """The job's status; None when it was never started. A worker that died without a word reads as failed."""
    status = stored_status(run)
    if status is not None and is_orphaned(status):
        told = "The worker stopped without a message (killed, or out of memory). Start it again: it goes on."
        return replace(status, state="failed", error=told)
    return status


def stored_status(run: Path) -> Status | None:
    """The status as it was last written, whether or not its worker still lives.

    Raises:
        RunError: the file is damaged.
    """
    try:
        return Status(**json.loads((run / "status.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise RunError(f"{run / 'status.json'} is not a job's status: {error}") from error


def write_status(run: Path, status: Status) -> None:
    """Replace the job's status, atomically; on a full disk, in its old place, so that it can still be told.

    Raises:
        RunError: the disk is full, and there is no old place.
    """
    path = run / "status.json"
    try:
        write_json(path, asdict(status))
    except RunError:
        if not path.is_file():
            raise
        text = json.dumps(asdict(status), ensure_ascii=False).encode()
        with path.open("rb+", buffering=0) as file:
            file.write(text.ljust(path.stat().st_size))


def is_alive(status: Status | None) -> bool:
    """Whether the worker process of a status is still running."""
    if status is None or status.state in FINAL:
        return False
    if not status.pid:
        return time.time() - status.started < _SPAWN_SECONDS
    return is_running(status.pid, status.started)


def is_orphaned(status: Status) -> bool:
    """Whether the status speaks of a worker that is no more."""
    return status.state not in FINAL and not is_alive(status)


def is_running(pid: int, noted: float) -> bool:
    """Whether the process that had this number at the time ``noted`` (seconds since the epoch) still runs."""
    try:
        process = psutil.Process(pid)
        ours = process.create_time() <= noted + _CLOCK_SECONDS  # else the system gave the number away again
        return ours and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
