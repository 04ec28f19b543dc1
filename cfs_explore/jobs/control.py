"""Runs from the outside: make one, start its worker, cancel it, start it again after a crash, delete it."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import filelock
import psutil

from cfs_explore.errors import CFSError, RunError
from cfs_explore.jobs.status import Status, is_alive, is_orphaned, read_status, stored_status, write_status
from cfs_explore.locations import runs_root
from cfs_explore.spec import RunSpec
from cfs_explore.store.files import write_aside

#: A worker that dies without a word is started again by the app at most so often.
MAX_RESTARTS = 3
_LOG_BYTES = 64_000
#: How far workers step back behind the app on POSIX systems.
_NICE = 10


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


def start(run: Path, stages: Sequence[str] | None = None, *, restarts: int = 0) -> None:
    """Start (or resume) the worker of a run directory as its own process group; returns at once.

    Does nothing where a worker is at it already, whoever asks at the same time.

    Args:
        run: a directory with spec.yaml.
        stages: compute these diagnostics of a finished map; None goes on with what the spec asks for.
        restarts: how often it was started again before.
    """
    with filelock.FileLock(run / "start.lock"):
        if is_alive(read_status(run)):
            return
        (run / "cancel").unlink(missing_ok=True)
        begun = Status("starting", started=time.time(), stages=",".join(stages or ()), restarts=restarts)
        write_status(run, begun)
        task = ["run", str(run)] if stages is None else ["diagnose", str(run), "--stages", begun.stages]
        with (run / "log.txt").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "cfs_explore", *task],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        _step_back(process.pid)
        if stored_status(run) == begun:  # a quick worker has written its own meanwhile
            write_status(run, replace(begun, pid=process.pid))


def _step_back(pid: int) -> None:
    """Let the app's pages go before a worker's computing where they share cores."""
    with contextlib.suppress(psutil.Error):
        psutil.Process(pid).nice(psutil.BELOW_NORMAL_PRIORITY_CLASS if psutil.WINDOWS else _NICE)


def recover() -> list[Path]:
    """Start the runs again whose workers died without a word, as they do when the machine stops.

    Returns:
        Those that were started; a run that was started again ``MAX_RESTARTS`` times already is left alone.
    """
    started = []
    for path in sorted(runs_root().glob("*/status.json")):
        with contextlib.suppress(CFSError):
            status = stored_status(path.parent)
            if is_orphaned(status) and status.restarts < MAX_RESTARTS:
                start(path.parent, status.stages.split(",") if status.stages else None, restarts=status.restarts + 1)
                started.append(path.parent)
    return started


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
        write_status(run, replace(status, state="cancelled"))


def delete(run: Path) -> None:
    """Delete a run and everything in it: out of sight at once, then from the disk.

    Raises:
        RunError: it is no directory right below ``runs_root()``, or its worker is at it.
    """
    root = runs_root()
    if run.is_symlink() or run.name.startswith(".") or run.resolve().parent != root.resolve() or not run.is_dir():
        raise RunError(f"{run} is no run in {root}: only those are deleted.")
    with filelock.FileLock(run / "start.lock"):
        if is_alive(read_status(run)):
            raise RunError(f"{run.name} is being worked on. Cancel it first.")
        aside = root / ".deleted" / f"{run.name}-{secrets.token_hex(4)}"
        aside.parent.mkdir(exist_ok=True)
        run.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def log_tail(run: Path, lines: int = 30) -> str:
    """The last lines of what the worker printed, without control characters; "" where it printed nothing."""
    try:
        with (run / "log.txt").open("rb") as log:
            log.seek(0, 2)
            log.seek(max(0, log.tell() - _LOG_BYTES))
            text = log.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.replace("\r", "\n"))
    text = "".join(c for c in text if c == "\n" or c.isprintable())
    return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])
