"""Reading the files of a run: each is checked right before its first use, so that damage is reported and never shown.

Files that the manifest lists are compared with their digests; what all of them hold, with what their own headers and
the manifest promise.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import zarr

from cfs_explore.errors import RunError
from cfs_explore.store.array_files import ArrayFiles, check_chunk, promised_arrays, read_metadata
from cfs_explore.store.digests import check_file, damaged
from cfs_explore.store.files import BAD_TABLE, BAD_ZARR, read_table
from cfs_explore.store.image_rows import read_image_rows
from cfs_explore.store.manifest import Manifest
from cfs_explore.store.table_check import check_columns, check_content, check_domains
from cfs_explore.studies import BASE_TABLES, IMAGES, TABLES
from cfs_explore.studies.columns import Column


def read_rows(run: Path, manifest: Manifest, name: str, rows: slice, *rest: slice) -> np.ndarray:
    """Some rows of an array, as it is stored.

    Args:
        run, manifest: of the run.
        name: of the array, "scores.zarr"; it must be one of the run's.
        rows: along its first axis; an array without axes is read whole.
        rest: along the next ones.

    Raises:
        RunError: a file of these rows is damaged or missing, naming it.
    """
    array = promised_arrays(run, manifest)[name]
    try:
        _check_array(run, manifest, array, rows)
    except OSError as error:
        raise damaged(run, manifest, name, f"it cannot be read ({error.strerror or error})") from error
    try:
        opened = zarr.open_array(str(run / name), mode="r")
        values = np.asarray(opened[(rows, *rest)] if array.shape else opened[()])
    except BAD_ZARR as error:
        raise damaged(run, manifest, _undecodable(run, array, rows) or name, f"{str(error)[:200]}") from error
    if array.finite and not np.isfinite(values).all():
        raise damaged(run, manifest, name, "it holds values that are not finite numbers")
    if array.at_least_zero and (values < 0).any():
        raise damaged(run, manifest, name, "it holds values below 0, which no count or sum of squares is")
    return values


def _check_array(run: Path, manifest: Manifest, array: ArrayFiles, rows: slice) -> None:
    """Metadata and the chunks of these rows, before a decoder sees them."""
    check_file(run, manifest, f"{array.name}/zarr.json")
    try:
        chunk, metadata = read_metadata(run / array.name / "zarr.json", array)
    except RunError as error:
        raise damaged(run, manifest, f"{array.name}/zarr.json", str(error).rstrip(".")) from error
    for place, index in array.places(chunk, rows):
        file = f"{array.name}/{place}"
        if check_file(run, manifest, file):
            continue
        try:
            check_chunk(run / file, array, metadata)
        except FileNotFoundError as error:
            if not array.may_lack(index, chunk):
                raise damaged(run, manifest, file, "it is missing") from error
        except RunError as error:
            raise damaged(run, manifest, file, str(error).rstrip(".")) from error


def _undecodable(run: Path, array: ArrayFiles, rows: slice) -> str | None:
    """Name of the first chunk of these rows that cannot be decoded."""
    try:
        opened = zarr.open_array(str(run / array.name), mode="r")
        for place, index in array.places(opened.chunks, rows):
            try:
                opened.blocks[index]
            except BAD_ZARR:
                return f"{array.name}/{place}"
    except BAD_ZARR:
        return None
    return None


def read_run_table(run: Path, manifest: Manifest, name: str) -> pd.DataFrame:
    """A table of ``tables/``.

    Raises:
        RunError: it is damaged, naming the file; or the run has none.
    """
    file = f"tables/{name}.parquet"
    if file not in manifest.files and not (run / file).is_file():
        if name in BASE_TABLES:
            raise damaged(run, manifest, file, "it is missing")
        raise RunError(
            f"{manifest.name} has no table {name} ({run / file}): it was not computed, or by an older version."
        )
    return _read(run, manifest, file, TABLES[name].columns if name in TABLES else ())


def read_images(run: Path, manifest: Manifest, columns: Sequence[str]) -> pd.DataFrame:
    """These columns of images.parquet, of all sets.

    Raises:
        RunError: it is damaged, naming the file.
    """
    frame = _read(run, manifest, "images.parquet", IMAGES.columns, list(columns))
    total = sum(entry.count for entry in manifest.sets)
    if len(frame) != total:
        raise damaged(run, manifest, "images.parquet", f"it has {len(frame):,} rows for {total:,} images")
    if not (frame[frame.columns.intersection(["width", "height"])] > 0).all(axis=None):
        raise damaged(run, manifest, "images.parquet", "its columns width and height are not all above 0")
    return frame


def _read(
    run: Path, manifest: Manifest, file: str, columns: Sequence[Column], only: list[str] | None = None
) -> pd.DataFrame:
    check_file(run, manifest, file)
    try:
        schema = pq.read_schema(run / file)
        frame = read_table(run / file) if only is None else read_image_rows(run / file, only)
        frame = frame.reset_index(drop=True)
    except BAD_TABLE as error:
        missing = isinstance(error, FileNotFoundError)
        why = "it is missing" if missing else f"it is not that table ({' '.join(str(error).split())[:200]})"
        raise damaged(run, manifest, file, why) from error
    try:
        check_columns(file, schema, frame, columns, only)
        if only is None:
            check_domains(file, frame, manifest)
            check_content(Path(file).stem, frame, manifest)
    except RunError as error:
        raise damaged(run, manifest, file, str(error).rstrip(".")) from error
    return frame
