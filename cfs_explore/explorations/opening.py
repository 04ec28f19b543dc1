"""``cfs.open_run``: a run by its folder, or by the name that the command line takes."""

from __future__ import annotations

from pathlib import Path

from cfs_explore import store
from cfs_explore.locations import locate_run
from cfs_explore.store import Run


def open_run(path: str | Path) -> Run:
    """Open a finished run or a bundle.

    Args:
        path: its folder; where there is no such folder, a bundle's name or the id of a run.

    Raises:
        RunError: there is none, or it is not finished.
    """
    return store.open_run(path if Path(path).is_dir() else locate_run(path))
