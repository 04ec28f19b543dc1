"""Images in a parquet file, as Hugging Face datasets write them; read by row group."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import OrderedDict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import ImageError, SourceError
from .decode import decode
from .record import Record, Source

IMAGE_COLUMNS = ("image", "img", "bytes")
LABEL_COLUMN = "label"
MAX_ROW_GROUP_BYTES = 2 * 2**30
_CACHED_GROUPS = 2


class ParquetSource(Source):
    """Rows of a parquet file, in stored order; only two row groups are ever in memory.

    Image column: ``image``, ``img`` or ``bytes``, either binary or struct{bytes, path}. Optional column
    ``label``: text, or integers with names in the schema's Hugging Face metadata; -1 means none.

    Raises:
        SourceError: no parquet, damaged, no image column, or row groups above 2 GiB.
    """

    kind = "parquet"

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        try:
            self._file = pq.ParquetFile(path)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise SourceError(f"{path} is not a readable parquet file ({error}).") from error
        schema = self._file.schema_arrow
        try:
            self._column = _image_column(schema, self.location)
            self._nested = pa.types.is_struct(schema.field(self._column).type)
            self._has_label = LABEL_COLUMN in schema.names
            self._label_names = _label_names(schema)
            self._starts = self._group_starts()
            self.names = self._list_names()
        except SourceError:
            self.close()
            raise
        self._cache: OrderedDict[int, pa.Table] = OrderedDict()

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
        pad = max(6, len(str(n_rows)))
        rows = [f"{row:0{pad}d}" for row in range(n_rows)]
        kind = self._file.schema_arrow.field(self._column).type
        if not self._nested or kind.get_field_index("path") < 0:
            return rows
        try:
            cells = self._file.read(columns=[f"{self._column}.path"]).column(self._column).to_pylist()
        except (pa.ArrowException, OSError) as error:
            raise SourceError(f"{self.location}: the image paths cannot be read ({error}).") from error
        paths = [cell["path"] if cell else None for cell in cells]
        return [f"{row}/{path}" if path else row for row, path in zip(rows, paths, strict=True)]

    def _group(self, group: int) -> pa.Table:
        """A row group's bytes and labels, from the cache of the last two."""
        if group not in self._cache:
            while len(self._cache) >= _CACHED_GROUPS:
                self._cache.popitem(last=False)
            columns = [f"{self._column}.bytes" if self._nested else self._column]
            columns += [LABEL_COLUMN] if self._has_label else []
            self._cache[group] = self._file.read_row_group(group, columns=columns)
        self._cache.move_to_end(group)
        return self._cache[group]

    def _read(self, index: int) -> Record:
        name = self.names[index]
        group = bisect_right(self._starts, index) - 1
        row = index - self._starts[group]
        try:
            table = self._group(group)
        except (pa.ArrowException, OSError) as error:
            raise ImageError(f"{name}: row group {group} is damaged ({error}).") from error
        cell = table.column(self._column)[row].as_py()
        data = cell["bytes"] if self._nested and cell else cell
        if data is None:
            raise ImageError(f"{name}: the row holds no image bytes (a path, or nothing); embed the bytes.")
        label = table.column(LABEL_COLUMN)[row].as_py() if self._has_label else None
        return decode(data, name, self._label_text(label))

    def _label_text(self, label: int | str | None) -> str:
        if label is None or label == -1:
            return ""
        if isinstance(label, int) and 0 <= label < len(self._label_names):
            return self._label_names[label]
        return str(label)

    def close(self) -> None:
        self._file.close()


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _holds_images(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        position = kind.get_field_index("bytes")
        return position >= 0 and _is_bytes(kind.field(position).type)
    return _is_bytes(kind)


def _image_column(schema: pa.Schema, location: str) -> str:
    for name in IMAGE_COLUMNS:
        if name in schema.names and _holds_images(schema.field(name).type):
            return name
    found = ", ".join(f"{field.name}: {field.type}" for field in schema)
    raise SourceError(
        f"{location} has no image column: expected one of {', '.join(IMAGE_COLUMNS)}, holding bytes or "
        f"struct{{bytes, path}}. Its columns are {found or 'none'}."
    )


def _label_names(schema: pa.Schema) -> list[str]:
    """Class names from the Hugging Face metadata; [] where there are none or they are not as expected."""
    try:
        info = json.loads((schema.metadata or {})[b"huggingface"])
        return [str(name) for name in info["info"]["features"][LABEL_COLUMN]["names"]]
    except (KeyError, TypeError, ValueError):
        return []
