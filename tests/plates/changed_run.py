"""A run in which a table says something else."""

import copy

from cfs_explore.store import Run


def changed(run: Run, name: str, **columns: object) -> Run:
    """The run with these columns of a table replaced in every row."""
    other = copy.copy(run)
    other.table = lambda asked: run.table(asked).assign(**columns) if asked == name else run.table(asked)
    return other
