"""A run in its own process: start it, watch it, cancel it, start it again. Files in the run directory are the link.

status.json   state, stage, done, total, rate, eta, error; replaced about twice a second
cancel        its presence asks the worker to stop
log.txt       what the worker printed
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import filelock
import psutil

from cfs_explore.errors import CFSError, RunCancelled, RunError
from cfs_explore.locations import runs_root
from cfs_explore.spec import RunSpec
from cfs_explore.store.files import write_aside, write_json

#: States that do not change any more.
FINAL = ("finished", "failed", "cancelled")
_POLL_SECONDS = 0.5
#: A process is a status's worker only if it began before the status was written, give or take clock resolution.
_CLOCK_SECONDS = 2.0


@dataclass(frozen=True)
class Status:
    """Where a job stands.

    Attributes:
        state: "starting", "waiting" (for the device), "running", or one of ``FINAL``.
        stage, detail, done, total, unit, rate, eta: of the last ProgressEvent.
        error: what went wrong and what to do, when failed.
        pid: of the worker.
        started: seconds since the epoch.
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


def create(spec: RunSpec) -> Path:
    """A new run directory with the spec in it, under an unguessable id that begins with the run's name."""
    slug = re.sub(r"[^a-z0-9]+", "-", spec.name.lower()).strip("-")[:32] or "run"
    run = runs_root() / f"{slug}-{secrets.token_urlsafe(8)}"
    return create_at(run, spec)


def create_at(run: Path, spec: RunSpec) -> Path:
    """Write the spec into a directory of the caller's choice."""
    with write_aside(run / "spec.yaml") as partial:
        partial.write_text(spec.to_yaml(), encoding="utf-8")
    return run


def start(run: Path, stages: Sequence[str] | None = None) -> None:
    """Start (or resume) the worker of a run directory as its own process group; returns at once.

    Args:
        run: a directory with spec.yaml.
        stages: compute these diagnostics of a finished map; None goes on with what the spec asks for.
    """
    if is_alive(read_status(run)):
        return
    (run / "cancel").unlink(missing_ok=True)
    _write_status(run, Status("starting", started=time.time()))
    task = ["run", str(run)] if stages is None else ["diagnose", str(run), "--stages", ",".join(stages)]
    with (run / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cfs_explore", *task],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    _write_status(run, Status("starting", pid=process.pid, started=time.time()))


def read_status(run: Path) -> Status | None:
    """The job's status; None when it was never started. A worker that died without a word reads as failed."""
    try:
        status = Status(**json.loads((run / "status.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"{run / 'status.json'} is not a job's status: {error}") from error
    if status.state not in FINAL and status.pid and not is_alive(status):
        told = "The worker stopped without a message (killed, or out of memory). Start it again: it goes on."
        return Status(**{**asdict(status), "state": "failed", "error": told})
    return status


def is_alive(status: Status | None) -> bool:
    """Whether the worker process of a status is still running."""
    if status is None or status.state in FINAL or not status.pid:
        return False
    try:
        process = psutil.Process(status.pid)
        ours = process.create_time() <= status.started + _CLOCK_SECONDS  # else the system gave the number away again
        return ours and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def cancel(run: Path, *, patience: float = 10.0) -> None:
    """Ask the worker to stop between two batches; terminate it if it does not within ``patience`` seconds."""
    (run / "cancel").touch()
    status = read_status(run)
    deadline = time.monotonic() + patience
    while is_alive(status) and time.monotonic() < deadline:
        time.sleep(0.1)
        status = read_status(run)
    if is_alive(status):
        with contextlib.suppress(psutil.Error):  # it may end by itself meanwhile
            worker = psutil.Process(status.pid)
            worker.terminate()
            worker.wait(patience)
    (run / "cancel").unlink(missing_ok=True)
    if status is not None and status.state not in ("finished", "failed"):
        _write_status(run, Status(**{**asdict(status), "state": "cancelled"}))


def work(
    run: Path,
    *,
    stages: Sequence[str] | None = None,
    fresh: bool = False,
    device: str | None = None,
    report: Callable | None = None,
) -> None:
    """What the worker process does: wait for the device, do the work, keep status.json up to date.

    Args:
        run: a directory with spec.yaml.
        stages: diagnostics of a finished map to compute; None explores, as the spec says.
        fresh: compute stages again that are done.
        device: torch device.
        report: also called with each ProgressEvent.

    Raises:
        CFSError: after writing it to status.json.
    """
    from cfs_explore.pipeline import ProgressEvent, diagnose, explore

    other = read_status(run)
    if is_alive(other) and other.pid not in (os.getpid(), os.getppid()):  # the parent: a launcher on Windows
        raise RunError(f"{run} is being worked on by process {other.pid}. Wait for it, or cancel it.")
    started, last = time.time(), 0.0

    def status(state: str, event=None, error: str = "") -> None:
        facts = event.to_dict() if event else {}
        _write_status(run, Status(state, **facts, error=error, pid=os.getpid(), started=started))

    def on_event(event) -> None:
        nonlocal last, latest
        latest = event
        if time.monotonic() - last >= _POLL_SECONDS or event.done == event.total:
            last = time.monotonic()
            status("running", event)
        if report:
            report(event)

    def on_wait() -> None:
        status("waiting")
        if report:
            report(ProgressEvent("waiting", "another run is using the device", 0, 0, "", None, None))

    latest = None
    cancelled = (run / "cancel").exists
    try:
        with _device_lock(on_wait, cancelled):
            options = {"device": device, "report": on_event, "cancelled": cancelled}
            if stages is None:
                explore(run / "spec.yaml", run, **options)
            else:
                diagnose(run, stages, fresh=fresh, **options)
        status("finished", latest)
    except (RunCancelled, KeyboardInterrupt):
        (run / "cancel").unlink(missing_ok=True)
        status("cancelled", latest)
        raise
    except CFSError as error:
        status("failed", latest, str(error))
        raise
    except Exception as error:
        status("failed", latest, f"An error of the program, not of your data: {error!r}. See {run / 'log.txt'}.")
        raise


def _device_lock(on_wait: Callable[[], None], cancelled: Callable[[], bool]) -> filelock.BaseFileLock:
    """One worker at a time; the others say that they wait, and can be cancelled while they do."""
    runs_root().mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(runs_root() / ".device.lock")
    while True:
        try:
            return lock.acquire(timeout=0)
        except filelock.Timeout:
            on_wait()
            if cancelled():
                raise RunCancelled("The run was cancelled while it waited for the device.") from None
            time.sleep(_POLL_SECONDS)


def _write_status(run: Path, status: Status) -> None:
    write_json(run / "status.json", asdict(status))
