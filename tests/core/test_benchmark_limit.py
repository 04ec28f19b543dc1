"""A benchmark ends by itself, and leaves nothing running, whatever hangs in it."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SCRIPT = """
import subprocess, sys, time
sys.path.insert(0, {folder!r})
from limit import run_within

def main():
    started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session={away})
    print(started.pid, flush=True)
    {work}

run_within({seconds}, main, grace=1)
"""
HANG = """
    while True:
        try:
            time.sleep(600)
        except KeyboardInterrupt:
            pass
"""


def run(tmp_path, work: str, away: bool, seconds: float) -> tuple[subprocess.CompletedProcess, int, float]:
    """The ended script, the process that it started, and the seconds it took."""
    path = tmp_path / "script.py"
    path.write_text(SCRIPT.format(folder=str(BENCHMARKS), work=work.strip(), away=away, seconds=seconds))
    start = time.monotonic()
    ended = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=120)
    return ended, int(ended.stdout.split()[0]), time.monotonic() - start


def is_over(pid: int) -> bool:
    """Whether the process ends within some seconds; its parent may not have asked for its status."""
    for _ in range(100):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("away", [False, True])
def test_what_hangs_is_stopped_with_all_that_it_started(tmp_path, away):
    ended, started, seconds = run(tmp_path, HANG, away, seconds=5)
    assert ended.returncode == 3 and "not done within 5 s" in ended.stderr
    assert is_over(started) and seconds < 60


def test_the_childs_own_status_is_kept_and_nothing_is_left(tmp_path):
    ended, started, _ = run(tmp_path, "sys.exit(7)", False, seconds=60)
    assert ended.returncode == 7 and is_over(started)
