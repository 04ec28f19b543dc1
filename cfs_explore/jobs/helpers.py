"""Further workers of one run: on its leader's own computer, on a Ray cluster, and those that join from anywhere."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from cfs_explore.engine import ray_actors
from cfs_explore.errors import RunCancelled, RunError, SpecError
from cfs_explore.jobs import queue
from cfs_explore.jobs.machine import cores, cpu_seconds, free_memory
from cfs_explore.locations import runs_root
from cfs_explore.settings import read_settings
from cfs_explore.store import MOST_WORKERS

#: Seconds in which helpers end by themselves once they are told to.
_GRACE = 3.0
#: So many processes at most are tried by themselves.
MOST_TRIED = 8
#: As many workers as a trial finds fastest.
AUTO = "auto"


def share(workers: int, devices: Sequence[str] | None) -> tuple[list[str | None], int | None]:
    """The devices of all workers, the leader's first, and the threads of each.

    Args:
        workers: how many, on one CPU or on as many GPUs as ``devices`` names.
        devices: torch devices, one per worker; None: the leader's own choice, for all.

    Returns:
        The devices, and how many threads each takes; None: as many as it likes.

    Raises:
        SpecError: no worker or too many, a device without a name, or other than one device for each.
    """
    if not 1 <= max(workers, len(devices or ())) <= MOST_WORKERS:
        raise SpecError(f"--workers takes a whole number from 1 to {MOST_WORKERS}. Got {workers} instead.")
    if devices is not None and workers not in (1, len(devices)):
        raise SpecError(f"--workers {workers} and --devices {','.join(devices)} do not fit: leave --workers out.")
    named = [None] * workers if devices is None else [each.strip() for each in devices]
    if "" in named:
        raise SpecError("--devices takes names such as cuda:0,cuda:1, and one of those given is empty.")
    return named, None if len(named) == 1 else max(1, cores() // len(named))


def on_gpus(workers: int, device: str | None) -> list[str] | None:
    """A GPU for each worker, where there are enough and none was named; else None."""
    from cfs_explore.pipeline.devices import usable_devices

    if workers < 2 or device is not None:
        return None
    found = usable_devices()
    return found[:workers] if found[0].startswith("cuda") and len(found) >= workers else None


class Helpers:
    """Workers on this computer that help with a run whose leader is this process. A context, with which they end.

    Called now and then, as what ``ray_helpers`` yields is; here that does nothing.

    Args:
        run: the run directory.
    """

    def __init__(self, run: Path):
        self._run, self._device = run, None
        self._started: list[subprocess.Popen] = []
        self._asked = (0.0, 0.0)  # when ``strangers`` was, and what others had used by then, in seconds

    def __call__(self) -> None:
        pass

    def __enter__(self) -> Helpers:
        return self

    def __exit__(self, kind: type | None, *exception) -> None:
        if kind is None:
            self.dismiss()
        else:
            self._end()

    def _log(self, number: int) -> Path:
        """What a helper says; where all went well, it goes with the helper."""
        return self._run / f"helper-{number}.txt"

    def on(self, device: str) -> Helpers:
        """Those that are hired compute on the leader's device."""
        self._device = device
        return self

    def start(self, devices: Sequence[str | None], threads: int | None) -> None:
        """A worker on each of these devices.

        Args:
            devices: torch devices; None for the one that a worker finds best.
            threads: of each worker; None: as many as it likes.
        """
        environment = os.environ | ({} if threads is None else {"OMP_NUM_THREADS": str(threads)})
        for number, device in enumerate(devices, start=len(self._started) + 1):
            command = [sys.executable, "-m", "cfs_explore", "work", str(self._run), "--beside", str(os.getpid())]
            command += [] if device is None else ["--device", device]
            with self._log(number).open("w") as log:
                self._started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))

    def hire(self, workers: int, threads: int) -> None:
        """Start the helpers that are missing, so that there are so many workers with the leader, if they have room.

        Args:
            workers: the leader included.
            threads: of each.
        """
        missing = min(workers, self.most()) - 1 - len(self._started)
        self.start([self._device] * max(0, missing), threads)

    def most(self) -> int:
        """Processes that this computer has cores and memory for, the leader included."""
        own = psutil.Process().memory_info().rss
        room, limit = 1 + free_memory() // own, read_settings().max_workers
        return int(min(cores(), room, MOST_TRIED, MOST_TRIED if limit is None else max(1, limit)))

    def has_cores(self, workers: int, threads: int) -> bool:
        """Whether this computer has a core for each thread of so many workers."""
        return workers * threads <= cores()

    def strangers(self) -> float | None:
        """Cores that processes other than these have used since this was last asked; None where that is not known."""
        try:
            used = cpu_seconds() - sum(cpu_seconds(pid) for pid in (os.getpid(), *(each.pid for each in self._started)))
        except psutil.Error:  # one of them has ended
            return None
        (since, before), self._asked = self._asked, (time.monotonic(), used)
        return max(0.0, (used - before) / (self._asked[0] - since))

    def say(self, text: str) -> None:
        """Tell what was found."""
        print(text, file=sys.stderr, flush=True)

    def dismiss(self) -> None:
        """Let them go; what one said stays where it broke off."""
        for number, process in enumerate(self._started, start=1):
            if process.poll():  # None: it is still at it; 0: nothing was left to do
                said = f"Helper {number} broke off: {self._log(number).name} in the run's folder says why."
                print(said, file=sys.stderr)
            else:
                self._log(number).unlink(missing_ok=True)
        self._end()

    def _end(self) -> None:
        """End them, within seconds: also one that is stopped."""
        for process in self._started:
            process.terminate()
        until = time.monotonic() + _GRACE
        for process in self._started:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._started = []


@contextlib.contextmanager
def helpers(run: Path, devices: Sequence[str | None], threads: int | None) -> Iterator[Callable[[], None]]:
    """While the body runs, a worker on each of these devices helps with the run; as of ``Helpers.start``."""
    with Helpers(run) as crew:
        crew.start(devices, threads)
        yield crew


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
    from cfs_explore.pipeline.board import Board
    from cfs_explore.pipeline.crew import join

    try:
        # into the actor's log, which Ray's dashboard shows
        join(run, device=device, threads=threads, patience=float("inf"), say=functools.partial(print, flush=True))
    except RunCancelled:
        pass
    except RunError:
        if Board(run).read() is not None or not (run / "manifest.json").is_file():  # else it came too late to help
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
