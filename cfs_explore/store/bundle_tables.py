"""Whether the Parquet files of a run that came from elsewhere hold what the pages read. They are written anew."""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from cfs_explore.colour import COLOUR, GREY
from cfs_explore.errors import RunError
from cfs_explore.store.files import BAD_TABLE, write_table
from cfs_explore.store.manifest import Manifest
from cfs_explore.store.table_check import check_content, check_domains, fits_kind, table_kind
from cfs_explore.studies import BASE_TABLES, IMAGES, TABLES
from cfs_explore.studies.columns import Column

MAX_ROWS, MAX_COLUMNS, MAX_ROW_GROUPS = 5_000_000, 200, 10_000
_LONGEST_TEXT, _LONGEST_LIST = 4_096, 10_000
#: Of a picture; runs keep sides of 64 and 128 pixels at most. And pixels of all different pictures of a table.
_LARGEST_PNG, _LONGEST_SIDE, _MOST_PIXELS = 2**19, 256, 2**32
#: A table may take this many times the bytes of its file in memory, beyond ``_FREE_BYTES``.
_MAX_RATIO, _FREE_BYTES = 100, 64 * 2**20
_BLOCK = 4_096
_BAD_PICTURE = (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError)
_TYPES = {"s": pa.large_string(), "x": pa.large_binary(), "f": pa.float64(), "i": pa.int64(), "b": pa.bool_()}
#: Where values may be missing.
_NULLABLE = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}


def check_tables(run: Path, manifest: Manifest) -> None:
    """Check images.parquet and tables/*.parquet against the manifest.

    Raises:
        RunError: naming the file and the column.
    """
    _check_images(run / "images.parquet", manifest)
    frames = {}
    for name, table in TABLES.items():
        path = run / "tables" / f"{name}.parquet"
        if path.is_file():
            frames[name] = _read(path, f"tables/{name}.parquet", table.columns)
            check_domains(f"tables/{name}.parquet", frames[name], manifest)
            write_table(path, frames[name])
        elif name in BASE_TABLES:
            raise RunError(f"tables/{name}.parquet is missing.")
    for name, frame in frames.items():
        check_content(name, frame, manifest)
    if "level_pictures" in frames and len(frames["level_pictures"]):
        _check_pictures("tables/level_pictures.parquet, png", frames["level_pictures"]["png"])


def _check_images(path: Path, manifest: Manifest) -> None:
    frame = _read(path, "images.parquet", IMAGES.columns)
    total = sum(entry.count for entry in manifest.sets)
    if len(frame) != total:
        raise RunError(f"images.parquet has {len(frame):,} rows; the sets of manifest.json count {total:,} images.")
    for entry in manifest.sets:
        rows = frame.iloc[entry.start : entry.start + entry.count]
        if (rows["dataset"] != entry.name).any() or (rows["role"] != entry.role).any():
            raise RunError(f"images.parquet: dataset and role of the rows of {entry.name} are not those of the set.")
        if entry.thumbnails:
            _check_pictures(f"images.parquet, {entry.name}, thumbnail", rows["thumbnail"])
        elif (rows["thumbnail"].map(len) > 0).any():
            raise RunError(f"images.parquet: {entry.name} has thumbnails, which manifest.json denies.")
    if not (frame[["width", "height"]] > 0).all(axis=None):
        raise RunError("images.parquet: width and height must be above 0.")
    strange = set(frame["colour"]) - {GREY, COLOUR} if "colour" in frame else ()
    if strange:
        raise RunError(f"images.parquet, colour: {min(strange)!r:.80}; allowed are {GREY} and {COLOUR}.")
    write_table(path, frame)


def _read(path: Path, name: str, columns: Sequence[Column]) -> pd.DataFrame:
    """A table with just the columns that it should have; nothing of the file but plain values is used."""
    try:
        with pq.ParquetFile(path, read_dictionary=_texts(path, name), arrow_extensions_enabled=False) as file:
            table = _read_blocks(file, name, _FREE_BYTES + _MAX_RATIO * path.stat().st_size)
    except FileNotFoundError as error:
        raise RunError(f"{name} is missing.") from error
    except BAD_TABLE as error:
        raise RunError(f"{name} is not a readable Parquet file ({error!s:.200}). It is damaged.") from error
    found = {}
    for column in columns:
        if column.name in table.column_names:
            where = f"{name}, {column.name}"
            found[column.name] = _as_series(table.column(column.name), column.kind, column.gaps, where)
        elif len(table) and not column.optional:
            raise RunError(f"{name} has no column {column.name}.")
    order = [column for column in table.column_names if column in found]
    return pd.DataFrame({column: found[column] for column in order})


def _texts(path: Path, name: str) -> list[str]:
    """Columns of text and bytes: they are read as dictionaries, so that a short file cannot become long texts."""
    try:
        with pq.ParquetFile(path, arrow_extensions_enabled=False) as file:
            schema, facts = file.schema_arrow, file.metadata
    except FileNotFoundError:
        raise
    except BAD_TABLE as error:
        raise RunError(f"{name} is not a readable Parquet file ({error!s:.200}). It is damaged.") from error
    for what, count, most in (
        ("rows", facts.num_rows, MAX_ROWS),
        ("columns", facts.num_columns, MAX_COLUMNS),
        ("row groups", facts.num_row_groups, MAX_ROW_GROUPS),
    ):
        if not 0 <= count <= most:
            raise RunError(f"{name} has {count:,} {what}; allowed are {most:,}.")
    if len(set(schema.names)) != len(schema.names):
        raise RunError(f"{name} has two columns of the same name.")
    return [field.name for field in schema if table_kind(field.type) in ("s", "x")]


def _read_blocks(file: pq.ParquetFile, name: str, allowed: int) -> pa.Table:
    """All rows, as long as they take no more memory than the file's size explains."""
    blocks, taken = [], 0
    for block in file.iter_batches(batch_size=_BLOCK):
        plain = []
        for column in block.columns:
            if pa.types.is_dictionary(column.type):
                _check_lengths(column.dictionary, name)
                column = column.dictionary_decode()
            plain.append(column)
            taken += column.nbytes
        if taken > allowed:
            raise RunError(f"{name} takes more than {allowed:,} bytes in memory, far more than its size explains.")
        blocks.append(pa.RecordBatch.from_arrays(plain, names=block.schema.names))
    if not blocks:
        return pa.table({field.name: pa.array([], _plain(field.type)) for field in file.schema_arrow})
    return pa.Table.from_batches(blocks)


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _check_lengths(values: pa.Array, name: str) -> None:
    most = _LARGEST_PNG if table_kind(values.type) == "x" else 4 * _LONGEST_TEXT
    longest = pa.compute.max(pa.compute.binary_length(values)).as_py()
    if longest is not None and longest > most:
        raise RunError(f"{name} has a value of {longest:,} bytes; allowed are {most:,}.")


def _as_series(column: pa.ChunkedArray, kind: str, missing: bool, where: str) -> pd.Series:
    """A column as pandas holds it in a run of one's own."""
    if not fits_kind(column.type, kind) or (column.null_count and not missing and kind != "f"):
        raise RunError(f"{where}: wrong type ({column.type}), or values are missing.")
    try:
        if kind == "I":
            values = pd.Series([np.array(item, dtype=np.int64) for item in column.to_pylist()], dtype=object)
        else:
            values = column.cast(_TYPES[kind]).to_pandas(types_mapper=_NULLABLE.get if missing else None)
            values = values.astype("str") if kind == "s" else values  # of missing texts alone, too
    except BAD_TABLE as error:
        raise RunError(f"{where}: {error!s:.200}") from error
    if kind == "s" and (values.str.len().max() or 0) > _LONGEST_TEXT:
        raise RunError(f"{where}: texts may have {_LONGEST_TEXT:,} characters.")
    if kind == "I" and any(len(item) > _LONGEST_LIST for item in values):
        raise RunError(f"{where}: lists may have {_LONGEST_LIST:,} numbers.")
    return values


def _check_pictures(where: str, pictures: pd.Series) -> None:
    """Every one must be a PNG of bounded size that can be decoded; equal ones are decoded once."""
    seen: set[bytes] = set()
    left = _MOST_PIXELS
    for row, data in enumerate(pictures):
        digest = hashlib.blake2b(data, digest_size=16).digest()
        if digest in seen:
            continue
        seen.add(digest)
        try:
            with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
                if max(image.size) > _LONGEST_SIDE:
                    raise ValueError(f"{image.width} x {image.height} pixels; allowed are {_LONGEST_SIDE} a side")
                left -= image.width * image.height
                if left < 0:
                    raise ValueError(f"more than {_MOST_PIXELS:,} pixels up to here")
                image.load()
        except _BAD_PICTURE as error:
            raise RunError(f"{where}, row {row}: not a PNG picture of bounded size ({error!s:.100}).") from error
