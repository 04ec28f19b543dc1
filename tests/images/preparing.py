"""Preparing a set whose rows fit into memory."""

import pandas as pd

from cfs_explore.images.prepare import COLUMNS
from cfs_explore.images.prepare import prepare as prepare_with


def prepare(source, shape, policy, out, **options):
    """Rows as a table, and what was skipped."""
    rows = []
    skipped = prepare_with(source, shape, policy, out, lambda place, row: rows.append(row), **options)
    return pd.DataFrame(rows, columns=list(COLUMNS)), skipped
