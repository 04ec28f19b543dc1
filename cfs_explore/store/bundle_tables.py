"""Whether the Parquet files of a run that came from elsewhere hold what the pages read. They are written anew."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from cfs_explore.contracts import REGIONS, ROLES
from cfs_explore.errors import RunError
from cfs_explore.store.files import write_table
from cfs_explore.store.manifest import Manifest
from cfs_explore.store.table_columns import BASE_TABLES, IMAGE_COLUMNS, TABLE_COLUMNS

MAX_ROWS, MAX_COLUMNS, MAX_ROW_GROUPS = 5_000_000, 200, 10_000
_LONGEST_TEXT, _LONGEST_LIST, _LARGEST_PNG, _LONGEST_SIDE = 4_096, 10_000, 2**20, 2_048
#: A table may take this many times the bytes of its file in memory, beyond ``_FREE_BYTES``.
_MAX_RATIO, _FREE_BYTES = 100, 64 * 2**20
_BLOCK = 4_096
_DAMAGE = (pa.ArrowException, OSError, ValueError, TypeError, KeyError, IndexError, MemoryError, OverflowError)
_BAD_PICTURE = (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError)
_TAP_COLUMNS = ("tap", "tap_a", "tap_b", "encoder", "decoder", "best_tap", "baseline_tap")
_LEVEL_COLUMNS = ("level", "best_level")
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
    for name in TABLE_COLUMNS:
        path = run / "tables" / f"{name}.parquet"
        if path.is_file():
            frames[name] = _read(path, f"tables/{name}.parquet", TABLE_COLUMNS[name])
            _check_domains(f"tables/{name}.parquet", frames[name], manifest)
            write_table(path, frames[name])
        elif name in BASE_TABLES:
            raise RunError(f"tables/{name}.parquet is missing.")
    _check_map(frames["auroc_map"], manifest)
    _check_cells(frames, manifest)
    if "level_pictures" in frames and len(frames["level_pictures"]):
        _check_pictures("tables/level_pictures.parquet, png", frames["level_pictures"]["png"])


def _check_images(path: Path, manifest: Manifest) -> None:
    frame = _read(path, "images.parquet", IMAGE_COLUMNS)
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
    write_table(path, frame)


def _read(path: Path, name: str, columns: dict[str, str]) -> pd.DataFrame:
    """A table with just the columns that it should have; nothing of the file but plain values is used."""
    try:
        with pq.ParquetFile(path, read_dictionary=_texts(path, name), arrow_extensions_enabled=False) as file:
            table = _read_blocks(file, name, _FREE_BYTES + _MAX_RATIO * path.stat().st_size)
    except FileNotFoundError as error:
        raise RunError(f"{name} is missing.") from error
    except _DAMAGE as error:
        raise RunError(f"{name} is not a readable Parquet file ({error!s:.200}). It is damaged.") from error
    found = {}
    for kind, listed in columns.items():
        for word in listed.split():
            column = word.rstrip("?*")
            if column not in table.column_names:
                if len(table) and "*" not in word:
                    raise RunError(f"{name} has no column {column}.")
                continue
            found[column] = _as_series(table.column(column), kind, "?" in word, f"{name}, {column}")
    order = [column for column in table.column_names if column in found]
    return pd.DataFrame({column: found[column] for column in order})


def _texts(path: Path, name: str) -> list[str]:
    """Columns of text and bytes: they are read as dictionaries, so that a short file cannot become long texts."""
    try:
        with pq.ParquetFile(path, arrow_extensions_enabled=False) as file:
            schema, facts = file.schema_arrow, file.metadata
    except FileNotFoundError:
        raise
    except _DAMAGE as error:
        raise RunError(f"{name} is not a readable Parquet file ({error!s:.200}). It is damaged.") from error
    for what, told, most in (
        ("rows", facts.num_rows, MAX_ROWS),
        ("columns", facts.num_columns, MAX_COLUMNS),
        ("row groups", facts.num_row_groups, MAX_ROW_GROUPS),
    ):
        if not 0 <= told <= most:
            raise RunError(f"{name} has {told:,} {what}; allowed are {most:,}.")
    if len(set(schema.names)) != len(schema.names):
        raise RunError(f"{name} has two columns of the same name.")
    return [field.name for field in schema if _kind(field.type) in ("s", "x")]


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
    most = _LARGEST_PNG if _kind(values.type) == "x" else 4 * _LONGEST_TEXT
    longest = pa.compute.max(pa.compute.binary_length(values)).as_py()
    if longest is not None and longest > most:
        raise RunError(f"{name} has a value of {longest:,} bytes; allowed are {most:,}.")


def _kind(kind: pa.DataType) -> str:
    """The letter of a type, "" for one that no table has."""
    tests = {
        "s": lambda t: pa.types.is_string(t) or pa.types.is_large_string(t),
        "x": lambda t: pa.types.is_binary(t) or pa.types.is_large_binary(t),
        "f": lambda t: pa.types.is_float64(t) or pa.types.is_float32(t),
        "i": pa.types.is_integer,
        "b": pa.types.is_boolean,
        "I": lambda t: pa.types.is_list(t) and pa.types.is_int64(t.value_type),
        "-": pa.types.is_null,
    }
    return next((letter for letter, test in tests.items() if test(kind)), "")


def _as_series(column: pa.ChunkedArray, kind: str, missing: bool, where: str) -> pd.Series:
    """A column as pandas holds it in a run of one's own."""
    told = _kind(column.type)
    fits = told == kind or told == "-" or (kind == "f" and told == "i")
    if not fits or (column.null_count and not missing and kind != "f"):
        raise RunError(f"{where}: wrong type ({column.type}), or values are missing.")
    try:
        if kind == "I":
            values = pd.Series([np.array(item, dtype=np.int64) for item in column.to_pylist()], dtype=object)
        else:
            values = column.cast(_TYPES[kind]).to_pandas(types_mapper=_NULLABLE.get if missing else None)
    except _DAMAGE as error:
        raise RunError(f"{where}: {error!s:.200}") from error
    if kind == "s" and (values.str.len().max() or 0) > _LONGEST_TEXT:
        raise RunError(f"{where}: texts may have {_LONGEST_TEXT:,} characters.")
    if kind == "I" and any(len(item) > _LONGEST_LIST for item in values):
        raise RunError(f"{where}: lists may have {_LONGEST_LIST:,} numbers.")
    return values


def _check_domains(name: str, frame: pd.DataFrame, manifest: Manifest) -> None:
    """Names must be those of the run, and numbers of levels and taps in their range."""
    levels, taps = len(manifest.levels), [tap.name for tap in manifest.tap_list()]
    ood = [entry.name for entry in manifest.sets if entry.role == "ood"]
    names = [entry.name for entry in manifest.sets]
    allowed: dict[str, Iterable[str]] = {
        **{column: [*taps, ""] for column in _TAP_COLUMNS},
        "ood": [*ood, ""],
        "region": REGIONS,
        "role": ROLES,
        "dataset": names,
        "set": names,
    }
    for column in frame.columns.intersection(list(allowed)):
        strange = set(frame[column].dropna()) - set(allowed[column])
        if strange:
            raise RunError(f"{name}, {column}: {min(strange)!r:.80} is not of this run.")
    for column in frame.columns.intersection([*_LEVEL_COLUMNS, "tap_index"]):
        found = frame[column].dropna()
        most = len(taps) if column == "tap_index" else levels
        if len(found) and not (found.min() >= -1 and found.max() < most):
            raise RunError(f"{name}, {column}: allowed are 0 to {most - 1}.")


def _check_map(frame: pd.DataFrame, manifest: Manifest) -> None:
    """One row for every OOD set, level and tap, in this order."""
    ood = [entry.name for entry in manifest.sets if entry.role == "ood"]
    levels, taps = len(manifest.levels), [tap.name for tap in manifest.tap_list()]
    cells = pd.MultiIndex.from_product([ood, range(levels), taps]).to_frame(index=False)
    cells.columns = ["ood", "level", "tap"]
    told = frame[["ood", "level", "tap"]] if len(frame) else cells.iloc[:0]
    if len(told) != len(cells) or not all((told[c].to_numpy() == cells[c].to_numpy()).all() for c in cells):
        raise RunError(f"tables/auroc_map.parquet must have {len(cells):,} rows: OOD sets x levels x taps, in order.")
    index = np.tile(np.arange(len(taps)), len(ood) * levels)
    lams = np.tile(np.repeat([level["lam"] for level in manifest.levels], len(taps)), len(ood))
    if (frame["tap_index"].to_numpy() != index).any() or (frame["lam"].to_numpy() != lams).any():
        raise RunError("tables/auroc_map.parquet: tap_index and lam are not those of manifest.json.")
    for metric in ("auroc", "aupr", "fpr95"):
        if not frame[metric].dropna().between(0, 1).all():
            raise RunError(f"tables/auroc_map.parquet, {metric}: allowed is 0 to 1.")


def _check_cells(frames: dict[str, pd.DataFrame], manifest: Manifest) -> None:
    """The cells that detectors and best cells name."""
    most = len(manifest.levels) * len(manifest.taps)
    best, detectors = frames["best_cell"], frames["detectors"]
    named = [] if best.empty else [best["cell_index"].to_numpy()]
    if len(best) and best["ood"].duplicated().any():
        raise RunError("tables/best_cell.parquet, ood: each OOD set once.")
    if len(detectors):
        named += list(detectors["cell_indices"])
        if not all(len(cells) for cells in detectors["cell_indices"]):
            raise RunError("tables/detectors.parquet, cell_indices: a detector has at least one cell.")
    if named and not (np.concatenate(named).min() >= 0 and np.concatenate(named).max() < most):
        raise RunError(f"tables/best_cell.parquet or detectors.parquet: cells are 0 to {most - 1}.")


def _check_pictures(where: str, pictures: pd.Series) -> None:
    """Every one must be a PNG of bounded size that can be decoded."""
    for row, data in enumerate(pictures):
        try:
            with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
                if max(image.size) > _LONGEST_SIDE:
                    raise ValueError(f"{image.width} x {image.height} pixels")
                image.load()
        except _BAD_PICTURE as error:
            raise RunError(f"{where}, row {row}: not a PNG picture of bounded size ({error!s:.100}).") from error
