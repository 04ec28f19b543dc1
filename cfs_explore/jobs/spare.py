"""A worker that has loaded its libraries before there is a run for it: seconds for which nobody has to wait.

The app prepares one while a visitor fills in the form; the next run takes it. It waits for one line on its standard
input (``cli.spare``), and ends with the app.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from cfs_explore.jobs.launch import launch

#: A spare that nobody has taken ends after so long: it holds some hundred megabytes.
KEPT_SECONDS = 600.0
#: So long it may take to end.
_PATIENCE = 30.0

_lock = threading.Lock()
_spares: list[subprocess.Popen] = []


def prepare() -> int | None:
    """Start a spare worker if there is none; gives its process id where it is new."""
    with _lock:
        if any(spare.poll() is None for spare in _spares):
            return None
        environment = os.environ | {"OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE")}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        spare = launch(["cfs_explore.cli.spare"], stdin=subprocess.PIPE, env=environment, **quiet)
        _spares[:] = [spare]
    timer = threading.Timer(KEPT_SECONDS, dismiss, [spare])
    timer.daemon = True
    timer.start()
    return spare.pid


def dismiss(spare: subprocess.Popen) -> None:
    """End a spare, unless it was taken."""
    with _lock:
        if spare not in _spares:
            return
        _spares.remove(spare)
    with contextlib.suppress(OSError):
        spare.stdin.close()
    try:
        spare.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        spare.kill()
        spare.wait()


def take(arguments: Sequence[str], log: Path) -> subprocess.Popen | None:
    """Let the spare run ``cfs-explore`` with these arguments, its output in ``log``; None where there is no spare."""
    task = {"arguments": list(arguments), "log": str(log), "folder": os.getcwd(), "environment": dict(os.environ)}
    with _lock:
        spare = _spares.pop() if _spares else None
        if spare is None or spare.poll() is not None:
            return None
        try:
            spare.stdin.write(json.dumps(task).encode() + b"\n")
            spare.stdin.close()
        except OSError:  # it has just ended
            return None
    return spare
