"""The bundles for tests that only read them: opened once in a process, which keeps what is derived of them."""

import functools

from cfs_explore.locations import BUNDLES
from cfs_explore.store import Run, open_run


@functools.cache
def bundle(name: str) -> Run:
    """A bundle by its name. Claims take seconds a bundle and are then computed once for all that ask."""
    return open_run(BUNDLES / name)
