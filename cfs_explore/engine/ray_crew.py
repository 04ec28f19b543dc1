"""Helpers on a Ray cluster: actors that Ray places, shows, and starts again where a process or a computer dies.

It knows nothing of what they compute: each calls a function, once, which takes part in a crew through a shared folder.
"""

from __future__ import annotations

import contextlib
import platform
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

from cfs_explore.errors import CFSError, RunError

INSTALL = 'pip install "cfs-explore[ray]"'
#: Seconds in which a cluster answers, between two looks at the actors, and in which they end by themselves.
ANSWER_SECONDS, LOOK_SECONDS, END_SECONDS = 20.0, 1.0, 2.0
#: Ray itself waits for minutes, deaf to signals: a process of its own, which can be ended, tries first.
_TRY = "import sys, ray; ray.init(address=sys.argv[1], log_to_driver=False)"


@contextlib.contextmanager
def ray_actors(
    address: str,
    folder: Path,
    work: Callable[[], object],
    *,
    count: int | None,
    cpus: int,
    gpus: int,
    say: Callable[[str], None],
) -> Iterator[Callable[[], None]]:
    """While the body runs, actors on a Ray cluster help; they end with it.

    Args:
        address: of the cluster, as Ray takes it: "auto", or host:port.
        folder: absolute; the actors must see it under the same path.
        work: called in each actor, again where one died; it is pickled.
        count: how many; None: as many as the cluster has room for now.
        cpus, gpus: of each, as Ray counts them.
        say: told why an actor cannot help, a sentence at a time.

    Yields:
        To be called now and then: RunError once none of them can help.

    Raises:
        RunError: no Ray here, no answer, no room, or nobody who can help.
    """
    ray = _connected(address)
    token = folder / f"ray-{uuid.uuid4().hex}.token"
    try:
        count = count or _room(ray, cpus, gpus)
        token.touch()
        remote = ray.remote(num_cpus=cpus, num_gpus=gpus, max_restarts=-1, max_task_retries=-1)(_Actor)
        watch = _Watch(ray, [remote.remote() for _ in range(count)], (token, work), say)
        try:
            yield watch
        finally:
            watch.wait()
    finally:
        ray.shutdown()  # ends the actors
        with contextlib.suppress(OSError):
            token.unlink()


class _Actor:
    """One helper, in a process of its own."""

    def work(self, token: Path, work: Callable[[], object]) -> None:
        """Raises RunError where the leader's folder is not there."""
        if not token.is_file():
            raise RunError(
                f"{platform.node()}, a computer of the Ray cluster, does not see the leader's folder {token.parent}. "
                "All of its computers must share that folder, under the same path: docs/cluster.md."
            )
        work()


class _Watch:
    """Looks after the actors: lets those go that are done, and tells of those that cannot help."""

    def __init__(self, ray: ModuleType, actors: list, arguments: tuple, say: Callable[[str], None]):
        self._ray, self._say, self._count = ray, say, len(actors)
        self._tasks = {actor.work.remote(*arguments): actor for actor in actors}
        self._reasons: list[str] = []
        self._looked = time.monotonic()

    def __call__(self) -> None:
        if not self._tasks or time.monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        for task in self.wait(0):
            try:
                self._ray.get(task)
            except self._ray.exceptions.RayError as error:
                self._reasons.append(_reason(error))
                self._say(self._reasons[-1])
            self._ray.kill(self._tasks.pop(task))  # its cores or its GPU are free
        if len(self._reasons) == self._count:
            raise RunError(f"No actor of the Ray cluster can help. {self._reasons[0]}")

    def wait(self, seconds: float = END_SECONDS) -> list:
        """Those of the tasks that have ended, as soon as all have."""
        tasks = list(self._tasks)
        return self._ray.wait(tasks, num_returns=len(tasks), timeout=seconds)[0] if tasks else []


def _reason(error: Exception) -> str:
    """Why an actor cannot help, without Ray's traces."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, CFSError):
        return str(cause)
    last = str(cause or error).strip().splitlines()[-1]
    return f"An actor failed: {last}. All computers of the cluster need the project in this version: docs/cluster.md."


def _connected(address: str) -> ModuleType:
    """Ray, connected to the cluster.

    Raises:
        RunError: it is not installed, or the cluster does not answer.
    """
    try:
        import ray
    except ImportError as error:
        raise RunError(f"--engine ray needs the package ray: {INSTALL}. Without it: --workers, --devices.") from error
    how = "Start one with `ray start --head`, or give its host:port; `ray status` shows whether it is there."
    try:
        tried = subprocess.run(
            [sys.executable, "-c", _TRY, address], capture_output=True, text=True, timeout=ANSWER_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise RunError(f"No Ray cluster answers at {address} within {ANSWER_SECONDS:.0f} s. {how}") from error
    if tried.returncode:
        said = (tried.stderr.strip() or f"exit code {tried.returncode}").splitlines()[-1]
        raise RunError(f"No Ray cluster at {address} takes this computer in ({said}). {how}")
    ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    return ray


def _room(ray: ModuleType, cpus: int, gpus: int) -> int:
    """How many actors the cluster has room for now.

    Raises:
        RunError: for none.
    """
    free = ray.available_resources()
    room = int(min(free.get(kind, 0) // each for kind, each in (("CPU", cpus), ("GPU", gpus)) if each))
    if room < 1:
        raise RunError(
            f"The Ray cluster has no room for an actor (CPU: {cpus}, GPU: {gpus}): `ray status` shows what is free. "
            "With --workers N, the run begins, and the actors start as soon as there is room."
        )
    return room
