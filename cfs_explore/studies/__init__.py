"""The diagnostics, one file each, and the tables that every map has: specs, checks, pages and the command line read it.

Adding one: a file here and its line below, its compute file, its figures and its page.
"""

from __future__ import annotations

from collections.abc import Sequence

from cfs_explore.studies.ablation import ABLATION
from cfs_explore.studies.alignment import ALIGNMENT
from cfs_explore.studies.complementarity import COMPLEMENTARITY
from cfs_explore.studies.conditioning import CONDITIONING
from cfs_explore.studies.controls import CONTROLS
from cfs_explore.studies.diagnostic import Counts, Diagnostic, Table, no_forwards
from cfs_explore.studies.every_map import IMAGES, MAP_TABLES
from cfs_explore.studies.levels import LEVELS
from cfs_explore.studies.prediction import PREDICTION
from cfs_explore.studies.separation import SEPARATION
from cfs_explore.studies.stability import STABILITY

#: By name, in the order in which they run: those without forwards first.
DIAGNOSTICS: dict[str, Diagnostic] = {
    diagnostic.name: diagnostic
    for diagnostic in (
        COMPLEMENTARITY,
        SEPARATION,
        STABILITY,
        PREDICTION,
        CONTROLS,
        ABLATION,
        LEVELS,
        ALIGNMENT,
        CONDITIONING,
    )
}
#: By name, every table of a run but images.parquet.
TABLES: dict[str, Table] = {
    table.name: table
    for table in (*MAP_TABLES, *(table for diagnostic in DIAGNOSTICS.values() for table in diagnostic.tables))
}
#: Those that every run has.
BASE_TABLES = tuple(table.name for table in MAP_TABLES)
_WRITES = {table: diagnostic for diagnostic in DIAGNOSTICS.values() for table in diagnostic.table_names}

#: Those that need no forwards: they take seconds, and follow the map unless a spec asks for something else.
STANDARD = tuple(name for name, diagnostic in DIAGNOSTICS.items() if diagnostic.forwards is no_forwards)
#: A word for a set of diagnostics, as a spec says it -> their names, in their order.
WORDS: dict[str, tuple[str, ...]] = {"map": (), "standard": STANDARD, "all": tuple(DIAGNOSTICS)}

__all__ = [
    "BASE_TABLES",
    "DIAGNOSTICS",
    "IMAGES",
    "STANDARD",
    "TABLES",
    "WORDS",
    "Counts",
    "Diagnostic",
    "Table",
    "named_stages",
    "with_forwards",
    "writer_of",
]


def named_stages(asked: str | Sequence[str]) -> list[str]:
    """Names of the diagnostics that a word of ``WORDS`` stands for, or those of a list, in their order."""
    chosen = WORDS[asked] if isinstance(asked, str) else asked
    return [name for name in DIAGNOSTICS if name in chosen]


def with_forwards(counts: Counts, names: Sequence[str]) -> list[str]:
    """Those of these diagnostics that need forwards on a run of this size."""
    return [name for name in names if DIAGNOSTICS[name].forwards(counts)]


def writer_of(table: str) -> Diagnostic | None:
    """The diagnostic that writes this table; None for one of the map's, or none of a run's."""
    return _WRITES.get(table)
