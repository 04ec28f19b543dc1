"""What this process may use of its computer, or of the container that it runs in."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

#: Where Linux (cgroups, version 2) tells a container its limits.
_CONTAINER = Path("/sys/fs/cgroup")


def cores() -> int:
    """Of this computer that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_seconds(pid: int | None = None) -> float:
    """Seconds that the cores have worked: for a process that is there, or for all since the computer was started.

    Raises:
        psutil.Error: there is no such process.
    """
    spent = psutil.cpu_times() if pid is None else psutil.Process(pid).cpu_times()
    return sum(getattr(spent, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq"))


def free_memory() -> int:
    """Bytes that can be had without swapping; no more than a container's limit leaves."""
    free = psutil.virtual_memory().available
    try:
        limit, used = (int((_CONTAINER / f"memory.{name}").read_text()) for name in ("max", "current"))
        statistics = dict(line.split() for line in (_CONTAINER / "memory.stat").read_text().splitlines())
        files = int(statistics["inactive_file"])  # the system gives up copies of files
    except (OSError, ValueError, KeyError):  # no container, or without a limit
        return free
    return max(0, min(free, limit - used + files))
