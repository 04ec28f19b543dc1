"""An end for a benchmark, whatever hangs: the browser, the app, or what they wait for.

Playwright waits for some answers of a browser without any limit, so nothing inside can be relied on to stop: the work
is done by a child, which is told to stop, and then ended with all that it started.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable

import psutil

#: Says to a child that it is one.
_CHILD = "CFS_EXPLORE_BENCHMARK_CHILD"
#: Exit status of what did not end in time.
TOO_LATE = 3


def run_within(seconds: float, main: Callable[[], None], grace: float = 15.0) -> None:
    """``main``, in a child of this program that ends within ``seconds`` and ``grace``, with all that it started.

    Args:
        seconds: after which it is told to stop.
        main: what the program does.
        grace: seconds in which it may close what it opened.

    Exits with the child's status, or ``TOO_LATE``.
    """
    if os.environ.get(_CHILD):
        main()
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the child, too
    child = subprocess.Popen([sys.executable, *sys.argv], env=os.environ | {_CHILD: "1"}, start_new_session=True)
    try:
        status = child.wait(seconds)
    except subprocess.TimeoutExpired:
        print(f"Stopped: not done within {seconds:g} s.", file=sys.stderr, flush=True)
        status = TOO_LATE
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    finally:
        _end(child, grace)
    sys.exit(status)


def _end(child: subprocess.Popen, grace: float) -> None:
    """The child is over, and nothing that it started goes on."""
    with contextlib.suppress(psutil.NoSuchProcess):
        started = psutil.Process(child.pid).children(recursive=True)
        child.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(grace)
        for process in started:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
