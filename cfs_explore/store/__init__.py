"""The run directory: what every page reads, whether bundled or made a minute ago."""

from cfs_explore.store.assemble import Part, assemble, assemble_scores
from cfs_explore.store.files import write_aside, write_json, write_table
from cfs_explore.store.manifest import (
    LEFT_OUT,
    MOST_WORKERS,
    Manifest,
    SetEntry,
    StageEntry,
    WorkersEntry,
    left_out_warning,
)
from cfs_explore.store.run import Run, evenly_spaced, find_runs, open_run
from cfs_explore.store.slim import drop_snapshots
from cfs_explore.store.work import SetWork

__all__ = [
    "LEFT_OUT",
    "MOST_WORKERS",
    "Manifest",
    "Part",
    "Run",
    "SetEntry",
    "SetWork",
    "StageEntry",
    "WorkersEntry",
    "assemble",
    "assemble_scores",
    "drop_snapshots",
    "evenly_spaced",
    "find_runs",
    "left_out_warning",
    "open_run",
    "write_aside",
    "write_json",
    "write_table",
]
