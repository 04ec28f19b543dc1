"""The diagnostics, one file each, and the tables that every map has: specs, checks, pages and the command line read it.

Adding one: a file here, its compute file, its figures, its headline, its view and its page (CONTRIBUTING.md). What a
file here declares is found; navigation, the catalogue of figures and the report's chapters derive from ``PAGES``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence

from cfs_explore.studies.diagnostic import Counts, Diagnostic, Page, Table, no_forwards
from cfs_explore.studies.every_map import IMAGES, MAP_TABLES

_MODULES = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
_FOUND = [value for module in _MODULES for value in vars(module).values() if isinstance(value, Diagnostic)]
#: By name, in the order in which they run: those without forwards first.
DIAGNOSTICS: dict[str, Diagnostic] = {each.name: each for each in sorted(_FOUND, key=lambda each: each.place)}


def _place(page: Page) -> int:
    """That of its first diagnostic with forwards, if it has one: what it shows without any does not move it."""
    shown = [each for each in DIAGNOSTICS.values() if each.page is page]
    return min(each.place for each in [each for each in shown if each.forwards is not no_forwards] or shown)


#: Pages that show diagnostics, in their order.
PAGES: tuple[Page, ...] = tuple(sorted({each.page for each in DIAGNOSTICS.values()}, key=_place))
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
    "PAGES",
    "STANDARD",
    "TABLES",
    "WORDS",
    "Counts",
    "Diagnostic",
    "Page",
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
