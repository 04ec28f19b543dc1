"""Further workers of one run: on its leader's own computer, on a Ray cluster, and those that join from anywhere."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from cfs_explore.engine import ray_actors
from cfs_explore.errors import RunCancelled, RunError, SpecError
from cfs_explore.jobs import queue
from cfs_explore.locations import runs_root

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
def helpers(run: Path, devices: Sequence[str | None], threads: int | None) -> Iterator[Callable[[], None]]:
    """While the body runs, a worker on each of these devices helps with the run.

    Args:
        run: the run directory; its leader is this process.
        devices: torch devices; None for the one that a worker finds best.
        threads: of each worker; None: as many as it likes.

    Yields:
        What ``ray_helpers`` does; here it does nothing.
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
        yield lambda: None
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


def ray_threads() -> int:
    """Threads of the leader and of each actor: OMP_NUM_THREADS, else one; a process for each core is the fastest."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdecimal() and int(said) else 1


def ray_helpers(
    run: Path, address: str, workers: int | None, device: str, threads: int
) -> contextlib.AbstractContextManager[Callable[[], None]]:
    """While the body runs, actors on a Ray cluster help with the run, each on a GPU or on some cores.

    Args:
        run: the run directory, which all computers of the cluster see; its leader is this process.
        address: of the cluster.
        workers: how many, the leader included; None: it, and as many actors as the cluster has room for.
        device: torch device of the leader; the actors take one of the same kind, so that numbers are the same.
        threads: of each.

    Yields:
        To be called now and then: RunError once none of the actors can help.

    Raises:
        SpecError: fewer than two workers. RunError: as of ``engine.ray_actors``.
    """
    if workers is not None and workers < 2:
        raise SpecError(f"--workers counts the leader and the actors: with Ray from 2 on. Got {workers} instead.")
    run, kind = run.resolve(), device.partition(":")[0]
    settings = {name: value for name, value in os.environ.items() if name.startswith("CFS_EXPLORE_")}
    settings.pop("CFS_EXPLORE_PASSWORD", None)
    if "CFS_EXPLORE_RUNS" in settings:
        settings["CFS_EXPLORE_RUNS"] = str(runs_root().resolve())
    return ray_actors(
        address,
        run,
        functools.partial(_join, run, kind, threads, settings),
        count=None if workers is None else workers - 1,
        cpus=threads,
        gpus=int(kind == "cuda"),
        say=lambda reason: print(f"helper: {reason}", file=sys.stderr, flush=True),
    )


def _join(run: Path, device: str, threads: int, settings: Mapping[str, str]) -> None:
    """What an actor does, under the settings of the leader's installation."""
    os.environ.update(settings)
    from cfs_explore.pipeline.crew import join

    try:
        join(run, device=device, threads=threads, patience=float("inf"))
    except RunCancelled:
        pass
    except RunError:
        if not (run / "manifest.json").is_file():  # else it came too late to help
            raise


@contextlib.contextmanager
def turn_on(device: str | None, say: Callable[[str], None], cancelled: Callable[[], bool]) -> Iterator[None]:
    """Hold a GPU as a run does, when it is free; the cores of a CPU are shared with the leader.

    Raises:
        RunCancelled: ``cancelled`` said so while other runs used the device.
    """
    if device is None or not device.startswith("cuda"):
        yield
        return
    from cfs_explore.pipeline.devices import usable_devices

    def wait(place: int) -> None:
        say(f"{device} is used by other runs, place {place} in the queue")

    with queue.turn(usable_devices(device), wait, cancelled):
        yield


def has_lost(parent: int | None) -> Callable[[], bool]:
    """Whether the process that started this one is gone; never, where none did."""
    return lambda: parent is not None and os.getppid() != parent
