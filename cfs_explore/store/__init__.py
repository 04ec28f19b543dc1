"""The run directory: what every page reads, whether bundled or made a minute ago."""

from cfs_explore.store.assemble import assemble
from cfs_explore.store.files import write_aside, write_json, write_table
from cfs_explore.store.manifest import Manifest, SetEntry, StageEntry
from cfs_explore.store.run import Run, find_runs, open_run
from cfs_explore.store.slim import drop_snapshots
from cfs_explore.store.work import SetWork

__all__ = [
    "Manifest",
    "Run",
    "SetEntry",
    "SetWork",
    "StageEntry",
    "assemble",
    "drop_snapshots",
    "find_runs",
    "open_run",
    "write_aside",
    "write_json",
    "write_table",
]
