"""Turn the shards of all sets into the zarr arrays and tables that readers use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import zarr
from zarr.codecs import BloscCodec

from cfs_explore.store.files import write_aside
from cfs_explore.store.long_tables import write_long_table
from cfs_explore.store.manifest import SetEntry
from cfs_explore.store.work import SetWork

#: Uncompressed bytes per zarr chunk, about.
CHUNK_BYTES = 4_000_000
#: Chunks of zeros are written, too: one that is missing is then a damage.
_WHOLE = {"write_empty_chunks": True}


@dataclass(frozen=True)
class Part:
    """A set as far as it goes into a run directory.

    Attributes:
        entry: how the manifest describes it.
        work: where it was measured.
        shards: so many of its finished shards count.
    """

    entry: SetEntry
    work: SetWork
    shards: int


def assemble(
    run: Path,
    parts: Sequence[Part],
    columns: Mapping[str, slice],
    kept: Mapping[str, int],
) -> None:
    """Write images.parquet, scores.zarr, moments.zarr and snapshots.zarr, each atomically.

    Args:
        run: the run directory.
        parts: every set, in the order of their rows; all their finished shards count.
        columns: tap -> slice of the feature axis.
        kept: tap -> width 2C of the snapshots that were kept at one level.
    """
    assemble_scores(run, parts)
    with write_aside(run / "moments.zarr") as partial:
        _write_moments(partial, parts, columns)
    if kept:
        with write_aside(run / "snapshots.zarr") as partial:
            for tap in kept:
                _write_rows(partial, tap, parts, f"kept.{tap}", np.float16)


def assemble_scores(run: Path, parts: Sequence[Part], *, flush: bool = True) -> None:
    """Write images.parquet and scores.zarr, each atomically: what a map is drawn from."""
    with write_long_table(run / "images.parquet", flush=flush) as add:
        for rows in _image_rows(parts):
            add(rows)
    with write_aside(run / "scores.zarr", flush=flush) as partial:
        _write_rows(partial, "", [part for part in parts if part.entry.score_start >= 0], "scores", np.float32)


def _image_rows(parts: Sequence[Part]) -> Iterator[pd.DataFrame]:
    """The measured rows of every set, some at a time, all with the same columns."""
    columns = list(dict.fromkeys(name for part in parts for name in part.work.row_columns()))
    for part in parts:
        measured, start = part.work.measured(part.shards), 0
        for rows in part.work.row_parts(columns):
            first, last = np.searchsorted(measured, (start, start + len(rows)))
            found = rows.iloc[measured[first:last] - start].reset_index(drop=True)
            found.insert(0, "dataset", part.entry.name)
            found.insert(1, "role", part.entry.role)
            start += len(rows)
            if len(found):
                yield found


def _write_rows(store: Path, name: str, parts: Sequence[Part], key: str, dtype: type[np.floating]) -> None:
    """One array whose first axis runs over the images of all sets, in the order of each set's rows."""
    shape = next(parts[0].work.shards(key))[key].shape[1:]
    total = sum(part.entry.count for part in parts)
    rows = int(np.clip(CHUNK_BYTES // max(int(np.prod(shape)) * np.dtype(dtype).itemsize, 1), 1, total))
    array = zarr.create_array(
        store=str(store),
        name=name or None,
        shape=(total, *shape),
        chunks=(rows, *shape),
        dtype=dtype,
        compressors=[BloscCodec(cname="zstd", clevel=9, shuffle="shuffle")],
        config=_WHOLE,
    )
    start, rest = 0, np.empty((0, *shape), dtype=dtype)
    gathered = store.with_name(f"{store.name}.rows")
    for part in parts:
        for block in _in_row_order(part, key, shape, dtype, rows, gathered):
            rest = np.concatenate([rest, block])
            ready = len(rest) // rows * rows  # whole chunks at a time: partial ones are read and rewritten
            array[start : start + ready] = rest[:ready]
            start, rest = start + ready, rest[ready:]
    array[start:] = rest


def _in_row_order(
    part: Part, key: str, shape: tuple[int, ...], dtype: type[np.floating], size: int, gathered: Path
) -> Iterator[np.ndarray]:
    """The rows of a set in their order, ``size`` at a time.

    Shards hold scattered rows, and all of them may not fit into memory: they are put into a file row by row. Writing
    to a memory map would end the process on a full disk.
    """
    places = part.work.measured(part.shards)
    width = int(np.prod(shape)) * np.dtype(dtype).itemsize
    try:
        with gathered.open("w+b") as file:
            for shard in part.work.shards("rows", key, count=part.shards):
                values = np.ascontiguousarray(shard[key], dtype=dtype)
                for place, row in zip(np.searchsorted(places, shard["rows"]), values, strict=True):
                    file.seek(int(place) * width)
                    file.write(row.tobytes())
            file.seek(0)
            while block := file.read(size * width):
                yield np.frombuffer(block, dtype=dtype).reshape(-1, *shape)
    finally:
        gathered.unlink(missing_ok=True)


def _write_moments(store: Path, parts: Sequence[Part], columns: Mapping[str, slice]) -> None:
    moments = [part.work.moments() for part in parts]
    group = zarr.open_group(str(store), mode="w")
    group.attrs["columns"] = {tap: [c.start, c.stop] for tap, c in columns.items()}
    group.attrs["sets"] = [[part.entry.role, part.entry.name] for part in parts]
    group.create_array("count", data=np.array([int(m["count"]) for m in moments]), config=_WHOLE)
    for key in ("mean", "m2", "m2_within"):
        group.create_array(
            key,
            data=np.stack([m[key] for m in moments]),  # (set, level, feature)
            chunks=(1, *moments[0][key].shape),
            compressors=[BloscCodec(cname="zstd", clevel=9, shuffle="shuffle")],
            config=_WHOLE,
        )
    for key in ("pair_squares", "pairs"):  # of ID-test alone (theory 11)
        for m in moments:
            if key in m:
                group.create_array(key, data=np.asarray(m[key]), config=_WHOLE)
