"""Write docs/tables.md, every table of a run and its columns, from ``cfs_explore.studies``: no other argument."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cfs_explore.studies import BASE_TABLES, DIAGNOSTICS, IMAGES, TABLES, Table
from cfs_explore.studies.columns import KINDS, Column

PAGE = Path(__file__).parents[1] / "docs" / "tables.md"
_HEAD = """# Tables of a run

Made by `python scripts/tables_page.py` from `cfs_explore/studies`; do not edit. One row is one fact. A number in
brackets is that of a formula in [theory.md](theory.md), a section is one there. Scores are higher = more OOD; AUROCs
are of ID-test against the row's OOD set unless it says otherwise. Numbers may be NaN where a set is too small or
nothing varies; what else may be missing says so. "optional": older runs, or some, lack the column.
In Python: `cfs.open_run("precomputed/digits").table("stability")`."""


def page() -> str:
    """The page, as Markdown."""
    lines = [_HEAD, "", "## Every run", ""]
    lines += _table(IMAGES, "images.parquet")
    for name in BASE_TABLES:
        lines += _table(TABLES[name], f"tables/{name}.parquet")
    for name, diagnostic in DIAGNOSTICS.items():
        lines += [f"## {diagnostic.title}", "", f"{diagnostic.question} Stage `{name}`.", ""]
        for table in diagnostic.tables:
            lines += _table(table, f"tables/{table.name}.parquet")
    return "\n".join(lines).rstrip() + "\n"


def _table(table: Table, file: str) -> Iterator[str]:
    yield from (
        f"### {file}",
        "",
        f"One row: {table.row}.",
        "",
        "| column | kind | unit | meaning |",
        "|---|---|---|---|",
    )
    for column in table.columns:
        cells = f"`{column.name}`", _kind(column), column.unit, column.meaning
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"
    yield ""


def _kind(column: Column) -> str:
    notes = ["may be missing"] * column.gaps + ["optional"] * column.optional
    return ", ".join([KINDS[column.kind], *notes])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE}: {len(TABLES) + 1} tables")
