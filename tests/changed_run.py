"""A run in which a table says something else."""

import copy
from collections.abc import Callable

import pandas as pd

from cfs_explore.store import Run


def changed(run: Run, name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Run:
    """The run with one table replaced by what ``change`` makes of it."""
    other = copy.copy(run)
    other.table = lambda asked: change(run.table(asked)) if asked == name else run.table(asked)
    return other


def with_columns(run: Run, name: str, **columns: object) -> Run:
    """The run with other values in columns of one of its tables."""
    return changed(run, name, lambda table: table.assign(**columns))
