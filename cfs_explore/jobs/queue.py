"""Whose turn it is: one worker per device at a time, the others in the order in which they came.

.queue/                    below ``runs_root()``
  <time>-<pid>.json        a waiting worker and the devices that it may use
  device-<name>.lock       held by the worker that uses the device
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import filelock

from cfs_explore.errors import RunCancelled
from cfs_explore.jobs.status import birth, is_running
from cfs_explore.locations import runs_root
from cfs_explore.store.files import write_json

POLL_SECONDS = 0.5


@contextlib.contextmanager
def turn(devices: Sequence[str], on_wait: Callable[[int], None], cancelled: Callable[[], bool]) -> Iterator[str]:
    """Wait for one of the devices and hold it.

    Args:
        devices: names as torch has them, such as "cuda:0"; any of them will do.
        on_wait: called at each look with the place in the queue; 1 is the next to start.
        cancelled: asked at each look.

    Yields:
        The device.

    Raises:
        RunCancelled: ``cancelled`` said so.
    """
    ticket = _enter(devices)
    try:
        while (held := _try(ticket, devices)) is None:
            on_wait(len(_ahead(ticket, devices)) + 1)
            if cancelled():
                raise RunCancelled("The run was cancelled while it waited for the device.")
            time.sleep(POLL_SECONDS)
    finally:
        ticket.unlink(missing_ok=True)
    device, lock = held
    try:
        yield device
    finally:
        lock.release()


def _enter(devices: Sequence[str]) -> Path:
    """A ticket after all others; tickets are served in the order of their names."""
    latest = max((_number(other) for other in _folder().glob("*.json")), default=0)
    ticket = _folder() / f"{max(time.time_ns(), latest + 1):020d}-{os.getpid()}.json"  # clocks may be set back
    content = {"pid": os.getpid(), "noted": time.time(), "born": birth(os.getpid()), "devices": list(devices)}
    write_json(ticket, content, flush=False)
    return ticket


def _number(ticket: Path) -> int:
    """What a ticket's name begins with, of tickets of this kind."""
    digits = ticket.name.partition("-")[0]
    return int(digits) if len(digits) == 20 and digits.isdecimal() and digits.isascii() else 0


def _try(ticket: Path, devices: Sequence[str]) -> tuple[str, filelock.BaseFileLock] | None:
    """A free device and its lock, unless somebody who came sooner waits for one of the same."""
    if _ahead(ticket, devices):
        return None
    for device in devices:
        lock = filelock.FileLock(_folder() / f"device-{device.replace(':', '-')}.lock")
        with contextlib.suppress(filelock.Timeout):
            lock.acquire(timeout=0)
            return device, lock
    return None


def _ahead(ticket: Path, devices: Sequence[str]) -> list[Path]:
    """Tickets of living workers that came sooner and may use one of these devices; those of dead ones are removed."""
    ahead = []
    for other in sorted(_folder().glob("*.json")):
        if other.name >= ticket.name:
            break
        try:
            content = json.loads(other.read_text(encoding="utf-8"))
            waits = is_running(content["pid"], content["noted"], content.get("born", 0.0))
            shared = not set(devices).isdisjoint(content["devices"])
        except FileNotFoundError:  # it was served meanwhile
            continue
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            waits = False
        if not waits:
            other.unlink(missing_ok=True)
        elif shared:
            ahead.append(other)
    return ahead


def _folder() -> Path:
    folder = runs_root() / ".queue"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
