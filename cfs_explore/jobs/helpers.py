"""Further workers of one run: those that its leader starts on its own computer, and those that join from anywhere."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from cfs_explore.errors import SpecError

#: Seconds in which a helper ends by itself once it is told to.
_GRACE = 5.0


def share(workers: int, devices: Sequence[str] | None) -> tuple[list[str | None], int | None]:
    """The devices of all workers, the leader's first, and the threads of each.

    Args:
        workers: how many, on one CPU or on as many GPUs as ``devices`` names.
        devices: torch devices, one per worker; None: the leader's own choice, for all.

    Returns:
        The devices, and how many threads each takes; None: as many as it likes.

    Raises:
        SpecError: no worker, a device without a name, or other than one device for each.
    """
    if workers < 1:
        raise SpecError(f"--workers takes a whole number from 1 on. Got {workers} instead.")
    if devices is not None and workers not in (1, len(devices)):
        raise SpecError(f"--workers {workers} and --devices {','.join(devices)} do not fit: leave --workers out.")
    named = [None] * workers if devices is None else [each.strip() for each in devices]
    if "" in named:
        raise SpecError("--devices takes names such as cuda:0,cuda:1, and one of those given is empty.")
    return named, None if len(named) == 1 else max(1, (os.cpu_count() or 1) // len(named))


@contextlib.contextmanager
def helpers(run: Path, devices: Sequence[str | None], threads: int | None) -> Iterator[None]:
    """While the body runs, a worker on each of these devices helps with the run.

    Args:
        run: the run directory; its leader is this process.
        devices: torch devices; None for the one that a worker finds best.
        threads: of each worker; None: as many as it likes.
    """
    environment = os.environ | ({} if threads is None else {"OMP_NUM_THREADS": str(threads)})
    started = []
    if (run / "manifest.json").is_file():  # measured already; one process computes the diagnostics
        devices = ()
    try:
        for number, device in enumerate(devices, start=1):
            command = [sys.executable, "-m", "cfs_explore", "work", str(run), "--beside", str(os.getpid())]
            command += [] if device is None else ["--device", device]
            with (run / f"helper-{number}.txt").open("w") as log:
                started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        yield
        for number, process in enumerate(started, start=1):
            if process.poll():  # None: it is still at it; 0: nothing was left to do
                print(f"Helper {number} broke off: helper-{number}.txt in the run's folder says why.", file=sys.stderr)
    finally:
        for process in started:
            process.terminate()
        for process in started:
            try:
                process.wait(_GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def has_lost(parent: int | None) -> Callable[[], bool]:
    """Whether the process that started this one is gone; never, where none did."""
    return lambda: parent is not None and os.getppid() != parent
