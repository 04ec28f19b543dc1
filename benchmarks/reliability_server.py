"""The app's server for ``reliability.py``: started on a free port of this computer, its memory watched."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
from app_browser import wait_for
from reliability_common import environment

from cfs_explore.locations import PROJECT

#: Seconds between two looks at the memory.
_LOOK_SECONDS = 0.05


class Server:
    """The app while it runs.

    Attributes:
        url: its address.
        log: what it printed.
    """

    def __init__(self, url: str, pid: int, log: Path):
        self.url, self.log = url, log
        self._process = psutil.Process(pid)
        self._peak = 0

    def memory(self) -> int:
        """Resident bytes of the server's process."""
        return self._process.memory_info().rss

    @contextlib.contextmanager
    def peak(self) -> Iterator[list[int]]:
        """A list that holds the largest memory of the body when it has ended."""
        over, seen = threading.Event(), [self.memory()]

        def watch() -> None:
            while not over.wait(_LOOK_SECONDS):
                seen[0] = max(seen[0], self.memory())

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield seen
        finally:
            over.set()
            watcher.join()

    def tracebacks(self) -> int:
        """Errors that it printed."""
        return self.log.read_text(encoding="utf-8", errors="replace").count("Traceback")


@contextlib.contextmanager
def serving(runs: Path) -> Iterator[Server]:
    """The app on a free port, with its runs in a folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = runs.with_name("server.txt")
    command = [sys.executable, "-m", "cfs_explore", "app", "--headless", "--address", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=PROJECT, env=environment(runs), stdout=output, stderr=output)
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        yield Server(f"http://127.0.0.1:{port}", process.pid, log)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def megabytes(size: float) -> str:
    return f"{size / 1e6:,.0f} MB"


def settled_memory(server: Server, seconds: float) -> int:
    """The smallest memory within some seconds."""
    deadline, least = time.monotonic() + seconds, server.memory()
    while time.monotonic() < deadline:
        time.sleep(0.2)
        least = min(least, server.memory())
    return least
