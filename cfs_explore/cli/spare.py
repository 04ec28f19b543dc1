"""What a spare worker does (``jobs.spare``): load what a run needs, wait for a command line, run it."""

from __future__ import annotations

import json
import os
import sys


def wait() -> None:
    """Load what a run needs, wait for one, do it."""
    import scipy.special  # noqa: F401 - and the next four: what the tables of a run use
    import sklearn.cluster
    import sklearn.covariance
    import sklearn.mixture
    import sklearn.neighbors  # noqa: F401 - see above

    import cfs_explore.pipeline  # noqa: F401
    from cfs_explore.cli import main as run

    line = sys.stdin.buffer.readline()
    if not line:
        return
    task = json.loads(line)
    os.environ.clear()
    os.environ.update(task["environment"])
    os.chdir(task["folder"])
    with open(task["log"], "ab") as log, open(os.devnull, "rb") as nothing:
        for source, number in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source.fileno(), number)
    run(task["arguments"])


if __name__ == "__main__":
    wait()
