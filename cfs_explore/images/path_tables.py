"""Tables of image paths: CSV and TSV, the rows of a Parquet file without bytes, and OpenOOD's image lists."""

from __future__ import annotations

import codecs
import csv
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import SourceError
from .listed import Entry, ListedSource, Root, label_text
from .listing import printable, why_not_an_image

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
    "image_id",
    "id",
)
LABEL_COLUMNS = (
    "label",
    "labels",
    "class",
    "class_name",
    "category",
    "target",
    "y",
    "fine_label",
    "fine_labels",
    "label_name",
    "class_id",
    "label_id",
    "coarse_label",
)
#: Of images that belong together.
GROUP_COLUMNS = ("group", "group_id", "patient_id", "subject_id")
#: Keys of a line's JSON that hold its label.
_JSON_LABELS = ("label", "class", "cls", "category", "target", "class_name", "sc_label")
#: In what Windows saves where it is not UTF-8.
_OTHER = "cp1252"
DELIMITERS = ",;\t|"
MAX_TEXT_BYTES = 512 * 2**20
MAX_LINE = 2**20
_BATCH = 256


def open_text_table(
    path: Path,
    root: str | None = None,
    column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = None,
) -> ListedSource:
    """The images that a CSV or TSV names, one a row; the first row names the columns, or is an image's already.

    Args:
        path: the table; fields are separated by commas, semicolons, tabs or bars.
        root: folder that the paths start at and may not leave; the table's own when None.
        column: of the paths; one of ``PATH_COLUMNS`` when None.
        label_column: of the labels; one of ``LABEL_COLUMNS`` when None, else the paths' folders.
        group_column: of the groups; one of ``GROUP_COLUMNS`` when None, else each image is alone.

    Raises:
        SourceError: no such columns, no text, larger than 512 MiB or 2,000,000 rows.
    """
    where = printable(str(path))
    try:
        said: list[str] = []
        entries = _text_entries(path, where, (column, label_column, group_column), said)
        return ListedSource(str(path), "table", entries, Root(root or path.parent), said)
    except (csv.Error, OSError) as error:
        raise SourceError(f"{where} is not a readable table ({error}).") from error


def open_parquet_paths(
    path: Path, file: pq.ParquetFile, root: str | None, column: str, label_column: str | None, group_column: str | None
) -> ListedSource:
    """The images that a text column of a Parquet file names; arguments as those of ``open_text_table``.

    Raises:
        SourceError: damaged, or more than 2,000,000 rows.
    """
    try:
        entries = _parquet_entries(file, column, label_column, group_column)
        return ListedSource(str(path), "table", entries, Root(root or path.parent))
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise SourceError(f"{printable(str(path))}: the column {column!r} cannot be read ({error}).") from error


def open_imglist(path: Path, root: str | None = None) -> ListedSource:
    """The images of an OpenOOD image list: lines of a path, a space and a label; -1 means none.

    A label may stand in a JSON object, under ``label`` or the like.

    Args:
        path: the list.
        root: folder that the paths start at and may not leave; the list's own when None.

    Raises:
        SourceError: no such file, a line without a label, no text, larger than 512 MiB or 2,000,000 lines.
    """
    where = printable(str(path))
    try:
        said: list[str] = []
        entries = _imglist_entries(path, where, said)
        return ListedSource(str(path), "imglist", entries, Root(root or path.parent), said)
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
        raise SourceError(f"{where} has no column {wanted!r}, which `{key}` names. {_its_columns(columns)}")
    by_name = {name.strip().lower(): name for name in reversed(columns)}
    return next((by_name[name] for name in usual if name in by_name), None)


def no_path_column(columns: list[str], where: str) -> SourceError:
    """The error for a table in which no column can be the paths."""
    return SourceError(
        f"{where} has no column of paths: expected one called {', '.join(PATH_COLUMNS[:6])}, ..., or name it with "
        f"{{'path': ..., 'column': ...}}. {_its_columns(columns)}"
    )


def _its_columns(columns: list[str]) -> str:
    shown = ", ".join(printable(name)[:60] for name in columns[:20]) or "none"
    return f"Its columns are {shown}{', ...' if len(columns) > 20 else ''}."


def _text_entries(
    path: Path, where: str, wanted: tuple[str | None, str | None, str | None], said: list[str]
) -> Iterator[Entry]:
    lines = _lines(path, where, said)
    head, named = next(lines, ""), path.suffix.lower() != ".tsv"
    delimiter = max(DELIMITERS, key=head.count) if named else "\t"
    if head.strip().lower().startswith("sep=") and len(head.strip()) == 5:  # as Excel writes it
        delimiter, head = head.strip()[4], next(lines, "")
    columns = next(csv.reader([head], delimiter=delimiter), [])
    first: list[list[str]] = []
    paths = find_column(columns, wanted[0], PATH_COLUMNS, where, "column")
    group_at = None
    if paths is None:
        at, label_at = _without_head(columns, where)
        first = [columns]
        said.append("The table has no line of column names; its first line is read as an image.")
    else:
        labels = find_column(columns, wanted[1], LABEL_COLUMNS, where, "label_column")
        groups = find_column(columns, wanted[2], GROUP_COLUMNS, where, "group_column")
        at = columns.index(paths)
        label_at, group_at = (None if name is None else columns.index(name) for name in (labels, groups))
    for row in itertools.chain(first, csv.reader(lines, delimiter=delimiter)):
        if not any(row):
            continue
        given = row[at].strip() if at < len(row) else ""
        label, group = (
            None if place is None else label_text(row[place] if place < len(row) else "")
            for place in (label_at, group_at)
        )
        yield Entry(given, label, group=group or "")


def _without_head(cells: list[str], where: str) -> tuple[int, int | None]:
    """The columns of the paths and of the labels in a table whose first line is an image's already.

    Raises:
        SourceError: the line names no image either.
    """
    images = [i for i, cell in enumerate(cells) if why_not_an_image(cell.strip()) is None]
    if not images:
        raise no_path_column(cells, where)
    others = [i for i in range(len(cells)) if i != images[0]]
    return images[0], others[0] if len(others) == 1 else None


def _parquet_entries(
    file: pq.ParquetFile, column: str, label_column: str | None, group_column: str | None
) -> Iterator[Entry]:
    wanted = list(dict.fromkeys(filter(None, [column, label_column, group_column])))
    for batch in file.iter_batches(batch_size=_BATCH, columns=wanted):
        labels, groups = (
            batch.column(name).to_pylist() if name else [None] * len(batch) for name in (label_column, group_column)
        )
        for path, label, group in zip(batch.column(column).to_pylist(), labels, groups, strict=True):
            yield Entry(path or "", label_text(label) if label_column else None, group=label_text(group))


def _imglist_entries(path: Path, where: str, said: list[str]) -> Iterator[Entry]:
    for number, line in enumerate(_lines(path, where, said), start=1):
        text = line.strip()
        if text.endswith("}"):
            yield _with_json(text, f"{where}, line {number}")
            continue
        parts = text.rsplit(None, 1)
        if len(parts) == 1:
            raise SourceError(
                f"{where}, line {number}: {printable(parts[0])[:80]!r} has no label. Each line is a path, a space and "
                "a label; write -1 for none."
            )
        if parts:
            yield Entry(parts[0], label_text(parts[1]))


def _with_json(text: str, where: str) -> Entry:
    """A path, a space and an object that holds the label.

    Raises:
        SourceError: it is not a JSON object, or has no label.
    """
    given, brace, rest = text.partition("{")
    try:
        content = json.loads(brace + rest)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{where}: what follows the path is not JSON ({error}). Write a label, or -1.") from error
    labels = {str(key).lower(): value for key, value in content.items()}
    found = next((labels[key] for key in _JSON_LABELS if key in labels), None)
    if not given.strip() or found is None or not isinstance(found, str | int | float):
        keys = ", ".join(printable(str(key))[:40] for key in list(content)[:10]) or "none"
        raise SourceError(
            f"{where}: a path and a label are needed; the JSON has no text or number under "
            f"{', '.join(_JSON_LABELS[:4])}, .... Its keys are {keys}."
        )
    return Entry(given.strip(), label_text(found))


def _lines(path: Path, where: str, said: list[str]) -> Iterator[str]:
    """The lines of a text file, each of a bounded length; what had to be decided is added to ``said``.

    Raises:
        SourceError: too large, or a line too long.
    """
    size = os.path.getsize(path)
    if size > MAX_TEXT_BYTES:
        raise SourceError(f"{where} has {size / 2**20:,.0f} MiB; allowed are {MAX_TEXT_BYTES // 2**20}. Split it.")
    encoding, number = _encoding(path), 0
    if encoding == _OTHER:
        said.append("The list is not UTF-8; it is read as Windows' Western encoding (cp1252).")
    with open(path, encoding=encoding, newline="", errors="strict" if encoding != _OTHER else "replace") as file:
        try:
            while line := file.readline(MAX_LINE):
                number += 1
                if len(line) == MAX_LINE:
                    raise SourceError(f"{where}, line {number}: longer than {MAX_LINE:,} characters.")
                yield line
        except UnicodeError as error:
            raise SourceError(
                f"{where} is not readable text (after line {number}: {error}). Save it with the encoding UTF-8."
            ) from error


def _encoding(path: Path) -> str:
    """UTF-8, UTF-16 where the first bytes say so, else what Windows saves."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with open(path, "rb") as file:
        if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16"
        file.seek(0)
        try:
            while part := file.read(MAX_LINE):
                decoder.decode(part)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return _OTHER
    return "utf-8-sig"
