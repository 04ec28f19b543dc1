"""Tables of image paths: CSV and TSV, the rows of a Parquet file without bytes, and OpenOOD's image lists."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import SourceError
from .listed import Entry, ListedSource, Root, label_text
from .listing import printable

PATH_COLUMNS = (
    "path",
    "file",
    "filename",
    "file_name",
    "image",
    "image_path",
    "file_path",
    "filepath",
    "image_file",
    "image_name",
    "img",
    "img_path",
    "img_name",
    "name",
)
LABEL_COLUMNS = ("label", "class", "class_name", "category", "target", "y")
DELIMITERS = ",;\t|"
MAX_TEXT_BYTES = 512 * 2**20
MAX_LINE = 2**20
_BATCH = 256


def open_text_table(
    path: Path, root: str | None = None, column: str | None = None, label_column: str | None = None
) -> ListedSource:
    """The images that a CSV or TSV names, one a row, in UTF-8; the first row names the columns.

    Args:
        path: the table; fields are separated by commas, semicolons, tabs or bars.
        root: folder that the paths start at and may not leave; the table's own when None.
        column: of the paths; one of ``PATH_COLUMNS`` when None.
        label_column: of the labels; one of ``LABEL_COLUMNS`` when None, else the paths' folders.

    Raises:
        SourceError: no such columns, another encoding, larger than 512 MiB or 2,000,000 rows.
    """
    where = printable(str(path))
    try:
        entries = _text_entries(path, where, column, label_column)
        return ListedSource(str(path), "table", entries, Root(root or path.parent))
    except (csv.Error, OSError) as error:
        raise SourceError(f"{where} is not a readable table ({error}).") from error


def open_parquet_paths(
    path: Path, file: pq.ParquetFile, root: str | None, column: str, label_column: str | None
) -> ListedSource:
    """The images that a text column of a Parquet file names; arguments as those of ``open_text_table``.

    Raises:
        SourceError: damaged, or more than 2,000,000 rows.
    """
    try:
        entries = _parquet_entries(file, column, label_column)
        return ListedSource(str(path), "table", entries, Root(root or path.parent))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SourceError(f"{printable(str(path))}: the column {column!r} cannot be read ({error}).") from error


def open_imglist(path: Path, root: str | None = None) -> ListedSource:
    """The images of an OpenOOD image list: lines of a path, a space and a label; -1 means none.

    Args:
        path: the list, UTF-8.
        root: folder that the paths start at and may not leave; the list's own when None.

    Raises:
        SourceError: no such file, a line without a label, another encoding, larger than 512 MiB or 2,000,000 lines.
    """
    where = printable(str(path))
    try:
        return ListedSource(str(path), "imglist", _imglist_entries(path, where), Root(root or path.parent))
    except OSError as error:
        raise SourceError(f"{where} is not a readable image list ({error.strerror or error}).") from error


def find_column(columns: list[str], wanted: str | None, usual: tuple[str, ...], where: str, key: str) -> str | None:
    """The column that is asked for, else the first that has a usual name in any case, else None.

    Raises:
        SourceError: the wanted one is not there.
    """
    if wanted is not None:
        if wanted in columns:
            return wanted
        raise SourceError(f"{where} has no column {wanted!r}, which `{key}` names. {_told(columns)}")
    by_name = {name.strip().lower(): name for name in reversed(columns)}
    return next((by_name[name] for name in usual if name in by_name), None)


def no_path_column(columns: list[str], where: str) -> SourceError:
    """The error for a table in which no column can be the paths."""
    return SourceError(
        f"{where} has no column of paths: expected one called {', '.join(PATH_COLUMNS[:6])}, ..., or name it with "
        f"{{'path': ..., 'column': ...}}. {_told(columns)}"
    )


def _told(columns: list[str]) -> str:
    shown = ", ".join(printable(name)[:60] for name in columns[:20]) or "none"
    return f"Its columns are {shown}{', ...' if len(columns) > 20 else ''}."


def _text_entries(path: Path, where: str, column: str | None, label_column: str | None) -> Iterator[Entry]:
    lines = _lines(path, where)
    head = next(lines, "")
    delimiter = max(DELIMITERS, key=head.count) if path.suffix.lower() != ".tsv" else "\t"
    columns = next(csv.reader([head], delimiter=delimiter), [])
    paths = find_column(columns, column, PATH_COLUMNS, where, "column")
    if paths is None:
        raise no_path_column(columns, where)
    labels = find_column(columns, label_column, LABEL_COLUMNS, where, "label_column")
    at, label_at = columns.index(paths), None if labels is None else columns.index(labels)
    for row in csv.reader(lines, delimiter=delimiter):
        if not any(row):
            continue
        given = row[at].strip() if at < len(row) else ""
        label = None if label_at is None else label_text(row[label_at] if label_at < len(row) else "")
        yield Entry(given, label)


def _parquet_entries(file: pq.ParquetFile, column: str, label_column: str | None) -> Iterator[Entry]:
    wanted = [column, *([label_column] if label_column else [])]
    for batch in file.iter_batches(batch_size=_BATCH, columns=wanted):
        labels = batch.column(label_column).to_pylist() if label_column else [None] * len(batch)
        for path, label in zip(batch.column(column).to_pylist(), labels, strict=True):
            yield Entry(path or "", label_text(label) if label_column else None)


def _imglist_entries(path: Path, where: str) -> Iterator[Entry]:
    for number, line in enumerate(_lines(path, where), start=1):
        parts = line.strip().rsplit(None, 1)
        if len(parts) == 1:
            raise SourceError(
                f"{where}, line {number}: {printable(parts[0])[:80]!r} has no label. Each line is a path, a space and "
                "a label; write -1 for none."
            )
        if parts:
            yield Entry(parts[0], label_text(parts[1]))


def _lines(path: Path, where: str) -> Iterator[str]:
    """The lines of a text file, each of a bounded length.

    Raises:
        SourceError: too large, or not UTF-8.
    """
    size = os.path.getsize(path)
    if size > MAX_TEXT_BYTES:
        raise SourceError(f"{where} has {size / 2**20:,.0f} MiB; allowed are {MAX_TEXT_BYTES // 2**20}. Split it.")
    number = 0
    with open(path, encoding="utf-8-sig", newline="") as file:
        try:
            while line := file.readline(MAX_LINE):
                number += 1
                if len(line) == MAX_LINE:
                    raise SourceError(f"{where}, line {number}: longer than {MAX_LINE:,} characters.")
                yield line
        except UnicodeDecodeError as error:
            raise SourceError(
                f"{where} is not UTF-8 text (after line {number}: {error.reason}). Save it with the encoding UTF-8."
            ) from error
