"""Runs from the outside: make one, start its worker, cancel it, start it again after a crash, delete it."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import filelock
import psutil

from cfs_explore.errors import CFSError, RunError
from cfs_explore.jobs import spare
from cfs_explore.jobs.launch import launch
from cfs_explore.jobs.locks import require, starting
from cfs_explore.jobs.status import (
    FINAL,
    Status,
    birth,
    is_alive,
    is_held,
    is_orphaned,
    read_status,
    stored_status,
    write_status,
)
from cfs_explore.locations import runs_root
from cfs_explore.spec import RunSpec
from cfs_explore.store.files import write_aside

#: A worker that dies without a message is started again by the app at most so often.
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


def start(
    run: Path,
    stages: Sequence[str] | None = None,
    *,
    workers: int | str | None = None,
    restarts: int = 0,
    keep: bool = False,
) -> None:
    """Start (or resume) the worker of a run directory as its own process group; returns at once.

    Does nothing where a worker is at it already, whoever asks at the same time.

    Args:
        run: a directory with spec.yaml.
        stages: compute these diagnostics of a finished map; None goes on with what the spec asks for.
        workers: processes that share the work, or "auto"; None: as the run was begun, or "auto".
        restarts: how often it was started again before.
        keep: make an exploration of what is measured, instead of measuring the rest.
    """
    with starting(run):
        if is_alive(read_status(run)) or is_held(run):
            return
        (run / "cancel").unlink(missing_ok=True)
        if not keep:
            (run / "keep").unlink(missing_ok=True)
        begun = Status("starting", started=time.time(), stages=",".join(stages or ()), restarts=restarts)
        write_status(run, begun)
        task = ["run", str(run)] if stages is None else ["diagnose", str(run), "--stages", begun.stages]
        task += [] if workers is None else ["--workers", str(workers)]
        process = spare.take(task, run / "log.txt") or _launch(task, run / "log.txt")
        _step_back(process.pid)
        write_status(run, replace(begun, pid=process.pid, born=birth(process.pid)))  # the worker waits for start.lock


def prepare() -> None:
    """Have a worker's libraries loaded before its run is asked for; the app calls this where one is likely."""
    with contextlib.suppress(OSError):  # it only saves time
        pid = spare.prepare()
        if pid is not None:
            _step_back(pid)


def _launch(task: Sequence[str], log: Path) -> subprocess.Popen:
    """A new worker process."""
    with log.open("ab") as output:
        return launch(["cfs_explore", *task], stdout=output, stderr=output, stdin=subprocess.DEVNULL)


def _step_back(pid: int) -> None:
    """Let the app's pages go before a worker's computing where they share cores."""
    with contextlib.suppress(psutil.Error):
        psutil.Process(pid).nice(psutil.BELOW_NORMAL_PRIORITY_CLASS if psutil.WINDOWS else _NICE)


def recover() -> list[Path]:
    """Start the runs again whose workers died without a message, as they do when the machine stops.

    Returns:
        Those that were started; a run that was started again ``MAX_RESTARTS`` times already is left alone.
    """
    started = []
    _sweep(runs_root())
    for path in sorted(runs_root().glob("*/status.json")):
        with contextlib.suppress(CFSError):
            status = stored_status(path.parent)
            lost = status is not None and is_orphaned(status) and not is_held(path.parent)
            if lost and status.restarts < MAX_RESTARTS:
                stages, keep = status.stages.split(",") if status.stages else None, (path.parent / "keep").exists()
                start(path.parent, stages, restarts=status.restarts + 1, keep=keep)
                started.append(path.parent)
    return started


def cancel(run: Path, *, patience: float = 10.0) -> None:
    """Ask the worker to stop between two batches; terminate it if it does not within ``patience`` seconds.

    What it has written about its own end stands: its last status is read when it is gone and no other can begin.

    Raises:
        RunError: the run was deleted meanwhile.
    """
    require(run)
    (run / "cancel").touch()
    status = read_status(run)
    deadline = time.monotonic() + patience
    while (is_alive(status) or is_held(run)) and time.monotonic() < deadline:
        time.sleep(0.1)
        status = read_status(run)
    if is_alive(status) and status.pid:
        with contextlib.suppress(psutil.Error):  # it may end by itself meanwhile
            worker = psutil.Process(status.pid)
            worker.terminate()
            worker.wait(patience)
    with starting(run):  # no worker begins meanwhile
        status = stored_status(run)
        if is_held(run) or (is_alive(status) and status.pid):  # it finds the wish when it looks
            return
        (run / "cancel").unlink(missing_ok=True)
        if status is not None and status.state not in FINAL:
            write_status(run, replace(status, state="cancelled"))


def keep(run: Path) -> None:
    """Make a smaller exploration of what a run has measured: its worker stops measuring, or one is started for that."""
    require(run)
    (run / "keep").touch()
    start(run, keep=True)


def is_kept(run: Path) -> bool:
    """Whether that was wished, and not done yet."""
    return (run / "keep").exists()


def delete(run: Path) -> None:
    """Delete a run and everything in it: out of sight at once, then from the disk.

    Raises:
        RunError: it is not a directory right below ``runs_root()``, or a worker is at it, whatever its status says.
    """
    root = runs_root()
    if run.is_symlink() or run.name.startswith(".") or run.resolve().parent != root.resolve() or not run.is_dir():
        raise RunError(f"{run} is not a run in {root}: only those are deleted.")
    try:
        with filelock.FileLock(run / "start.lock"):
            if is_alive(read_status(run)) or is_held(run):
                raise RunError(f"{run.name} is being worked on. Cancel it first.")
            aside = root / ".deleted" / f"{run.name}-{secrets.token_hex(4)}"
            aside.parent.mkdir(exist_ok=True)
            run.rename(aside)
    except FileNotFoundError:  # another app on the same folder has deleted it meanwhile
        pass
    except OSError as error:
        raise RunError(
            f"{run.name} could not be deleted ({error.strerror or error}). Give this program the right to write in "
            f"{root}, and try again."
        ) from error
    _sweep(root)


def _sweep(root: Path) -> None:
    """Take what was deleted from the disk, also what a killed program left of it."""
    for aside in (root / ".deleted").glob("*"):
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
