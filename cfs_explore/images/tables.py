"""Images in a parquet file, as Hugging Face datasets write them; read in small batches of rows."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import ImageError, SourceError
from .encoded import EncodedSource
from .listed import MAX_LISTED, class_name, label_text
from .listing import numbered, printable
from .path_tables import GROUP_COLUMNS, LABEL_COLUMNS, PATH_COLUMNS, find_column, open_parquet_paths
from .record import Source

IMAGE_COLUMNS = ("image", "img", "images", "imgs", "picture", "photo", "jpg", "png", "bytes", "image_bytes")
MAX_ROW_GROUP_BYTES = 2 * 2**30
#: Rows that are unpacked at once. Few, since a packed row may be far larger than its bytes in the file.
_BATCH = 8
_DAMAGE = (pa.ArrowException, OSError, ValueError, TypeError, LookupError, OverflowError)


def open_parquet(
    path: Path,
    root: str | None = None,
    column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = None,
) -> Source:
    """The images of a parquet file: of a column of bytes, else those that a column of paths names.

    Args:
        path: the file.
        root: folder that paths start at and may not leave; the file's own when None.
        column: of the images or paths; found by its usual name when None.
        label_column: the first of ``LABEL_COLUMNS``, in any case, when None.
        group_column: of images that belong together; the first of ``GROUP_COLUMNS``, in any case, when None.

    Raises:
        SourceError: no parquet, damaged, no usable column, or row groups above 2 GiB.
    """
    where = printable(str(path))
    try:
        file = pq.ParquetFile(path)
        schema = file.schema_arrow
    except _DAMAGE as error:
        raise SourceError(f"{where} is not a readable parquet file ({printable(str(error))}).") from error
    try:
        found, paths, labels, groups = _columns(schema, column, label_column, group_column, where)
        if found is not None:
            return ParquetSource(path, file, found, labels, groups)
        if paths is None:
            raise _no_image_column(schema, where)
        with file:
            return open_parquet_paths(path, file, root, paths, labels, groups)
    except SourceError:
        file.close()
        raise


def open_image_rows(
    name: str,
    file: pq.ParquetFile,
    column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = None,
) -> ParquetSource:
    """The images of an open parquet file with a column of bytes; arguments as those of ``open_parquet``.

    Raises:
        SourceError: no such column, damaged, or row groups above 2 GiB. The file stays open.
    """
    found, _, labels, groups = _columns(file.schema_arrow, column, label_column, group_column, printable(name))
    if found is None:
        raise _no_image_column(file.schema_arrow, printable(name))
    return ParquetSource(name, file, found, labels, groups)


def _columns(
    schema: pa.Schema, column: str | None, label_column: str | None, group_column: str | None, where: str
) -> tuple[str | None, str | None, str | None, str | None]:
    """The columns of images, else of paths, of labels and of groups; None for those that are not there."""
    labels = find_column(schema.names, label_column, LABEL_COLUMNS, where, "label_column")
    groups = find_column(schema.names, group_column, GROUP_COLUMNS, where, "group_column")
    found = find_column(schema.names, column, (), where, "column") or _image_column(schema)
    paths = found or find_column(_texts(schema), None, PATH_COLUMNS, where, "column")
    for name in (labels, groups, paths):
        if schema.names.count(name) > 1:
            raise SourceError(f"{where} has several columns {printable(name)!r}; give each its own name.")
    if found is not None and _holds_images(schema.field(found).type):
        return found, None, labels, groups
    return None, paths if paths in _texts(schema) else None, labels, groups


class ParquetSource(EncodedSource):
    """Rows of a parquet file, in stored order; a few of them are in memory at a time.

    Args:
        path: of the file.
        file: the open file, which the source closes.
        column: of the images, binary or struct{bytes, path}.
        label_column: text, or integers with names in the schema's Hugging Face metadata; -1 means none.
        group_column: text or numbers; None: every image is alone.

    Raises:
        SourceError: damaged, or row groups above 2 GiB.
    """

    kind = "parquet"

    def __init__(
        self,
        path: Path | str,
        file: pq.ParquetFile,
        column: str,
        label_column: str | None,
        group_column: str | None = None,
    ) -> None:
        super().__init__(str(path))
        self._file = file
        self._column = column
        self._label_column = label_column
        schema = file.schema_arrow
        self._nested = pa.types.is_struct(schema.field(column).type)
        self._label_names = _label_names(schema, label_column)
        self._starts = self._group_starts()
        self.names = self._list_names()
        self.groups = None if group_column is None else [printable(label_text(g)) for g in self._cells_of(group_column)]
        self._rows: tuple[int, int, Iterator[tuple[object, object]]] | None = None

    def _group_starts(self) -> list[int]:
        """First row of each row group, and the number of rows at the end."""
        starts = [0]
        for i in range(self._file.num_row_groups):
            group = self._file.metadata.row_group(i)
            if group.total_byte_size > MAX_ROW_GROUP_BYTES:
                raise SourceError(
                    f"{self.location}: row group {i} unpacks to {group.total_byte_size / 2**30:.1f} GiB; "
                    f"allowed are {MAX_ROW_GROUP_BYTES // 2**30}. Write the file with row_group_size=1000."
                )
            starts.append(starts[-1] + group.num_rows)
        return starts

    def _list_names(self) -> list[str]:
        """'000012/path', or '000012' where the table holds no paths."""
        n_rows = self._starts[-1]
        if not 0 <= n_rows <= MAX_LISTED:
            raise SourceError(f"{self.location} has {n_rows:,} rows; allowed are {MAX_LISTED:,}. Split it.")
        rows = numbered(n_rows)
        kind = self._file.schema_arrow.field(self._column).type
        if not self._nested or kind.get_field_index("path") < 0:
            return rows
        try:
            batches = self._file.iter_batches(batch_size=64, columns=[f"{self._column}.path"])
            cells = (cell for batch in batches for cell in batch.column(0).to_pylist())
            paths = [printable(str(cell["path"])) if cell and cell["path"] else "" for cell in cells]
        except _DAMAGE as error:
            raise SourceError(f"{self.location}: the image paths cannot be read ({error}).") from error
        if len(paths) != n_rows:
            raise SourceError(f"{self.location}: {len(paths):,} of {n_rows:,} image paths are there; it is damaged.")
        return [f"{row}/{path}" if path else row for row, path in zip(rows, paths, strict=True)]

    def labels(self) -> list[str]:
        if self._label_column is None:
            return [""] * len(self)
        return [class_name(label, self._label_names) for label in self._cells_of(self._label_column)]

    def _cells_of(self, column: str) -> list[object]:
        try:
            batches = self._file.iter_batches(batch_size=64, columns=[column])
            return [cell for batch in batches for cell in batch.column(0).to_pylist()]
        except _DAMAGE as error:
            raise SourceError(f"{self.location}: the column {column!r} cannot be read ({error}).") from error

    def _row(self, group: int, row: int) -> tuple[object, object]:
        """(image cell, label) of a row; going forward is cheap, going back starts the row group again."""
        if self._rows is None or self._rows[0] != group or self._rows[1] > row:
            self._rows = (group, 0, self._cells(group))
        _, at, cells = self._rows
        for at, cell in enumerate(cells, start=at):  # noqa: B020
            self._rows = (group, at + 1, cells)
            if at == row:
                return cell
        raise ValueError(f"it ends after {at + 1} rows")

    def _cells(self, group: int) -> Iterator[tuple[object, object]]:
        columns = [f"{self._column}.bytes" if self._nested else self._column]
        columns += [self._label_column] if self._label_column else []
        for batch in self._file.iter_batches(batch_size=_BATCH, row_groups=[group], columns=columns):
            images = batch.column(self._column)
            labels = batch.column(self._label_column) if self._label_column else [None] * len(batch)
            yield from zip(images, labels, strict=True)

    def encoded(self, index: int) -> tuple[bytes, str]:
        name = self.names[index]
        group = bisect_right(self._starts, index) - 1
        try:
            cell, label = self._row(group, index - self._starts[group])
            cell = cell.as_py()
            label = label.as_py() if label is not None else None
        except _DAMAGE as error:
            self._rows = None
            raise ImageError(f"{name}: row group {group} is damaged ({printable(str(error))}).") from error
        data = cell["bytes"] if self._nested and cell else cell
        if data is None:
            raise ImageError(f"{name}: the row holds no image bytes (a path, or nothing); embed the bytes.")
        return data, class_name(label, self._label_names)

    def rest(self) -> None:
        """Let go of the file, but not of what is known of it."""
        self._rows = None
        self._metadata = self._file.metadata
        self._file.close()

    def resume(self, file: pq.ParquetFile) -> None:
        """Go on with the same file, opened again.

        Raises:
            SourceError: it is another one by now.
        """
        if not file.metadata.equals(self._metadata):
            raise SourceError(f"{self.location} was written anew while its images were read. Start again.")
        self._file = file

    def close(self) -> None:
        self._file.close()


def _plain(kind: pa.DataType) -> pa.DataType:
    """The type of the values, where a dictionary keeps each of them once."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_bytes(kind: pa.DataType) -> bool:
    kind = _plain(kind)
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)


def _is_text(kind: pa.DataType) -> bool:
    kind = _plain(kind)
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _holds_images(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        position = kind.get_field_index("bytes")
        return position >= 0 and _is_bytes(kind.field(position).type)
    return _is_bytes(kind)


def _image_column(schema: pa.Schema) -> str | None:
    """The first usual name in any case, else the only column that holds bytes."""
    holding = [field.name for field in schema if schema.names.count(field.name) == 1 and _holds_images(field.type)]
    usual = [name for word in IMAGE_COLUMNS for name in holding if name.strip().lower() == word]
    return usual[0] if usual else holding[0] if len(holding) == 1 else None


def _texts(schema: pa.Schema) -> list[str]:
    return [field.name for field in schema if _is_text(field.type)]


def _no_image_column(schema: pa.Schema, where: str) -> SourceError:
    found = ", ".join(printable(f"{field.name}: {field.type}") for field in list(schema)[:20])
    return SourceError(
        f"{where} has no image column: expected one of {', '.join(IMAGE_COLUMNS)}, holding bytes or "
        f"struct{{bytes, path}}, or text called {', '.join(PATH_COLUMNS[:6])}, ... with paths. Name another with "
        f"{{'path': ..., 'column': ...}}. Its columns are {found or 'none'}."
    )


def _label_names(schema: pa.Schema, label_column: str | None) -> list[str]:
    """Class names from the Hugging Face metadata; [] where there are none or they are not as expected."""
    try:
        info = json.loads((schema.metadata or {})[b"huggingface"])
        return [str(name) for name in info["info"]["features"][label_column]["names"]]
    except (KeyError, TypeError, ValueError, RecursionError):
        return []
