"""Turn the shards of all sets into the zarr arrays and tables that readers use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import zarr
from zarr.codecs import BloscCodec

from cfs_explore.store.files import write_aside, write_table
from cfs_explore.store.manifest import SetEntry
from cfs_explore.store.work import SetWork

#: Uncompressed bytes per zarr chunk, about.
CHUNK_BYTES = 4_000_000


def assemble(
    run: Path,
    works: Sequence[tuple[SetEntry, SetWork]],
    columns: Mapping[str, slice],
    kept: Mapping[str, int],
) -> None:
    """Write images.parquet, scores.zarr, moments.zarr and snapshots.zarr, each atomically.

    Args:
        run: the run directory.
        works: every set with its work folder, in the order of their rows.
        columns: tap -> slice of the feature axis.
        kept: tap -> width 2C of the snapshots that were kept at one level.
    """
    write_table(run / "images.parquet", _image_table(works))
    with write_aside(run / "scores.zarr") as partial:
        _write_rows(partial, "", [w for w in works if w[0].score_start >= 0], "scores", np.float32)
    with write_aside(run / "moments.zarr") as partial:
        _write_moments(partial, works, columns)
    if kept:
        with write_aside(run / "snapshots.zarr") as partial:
            for tap in kept:
                _write_rows(partial, tap, works, f"kept.{tap}", np.float16)


def _image_table(works: Sequence[tuple[SetEntry, SetWork]]) -> pd.DataFrame:
    frames = []
    for entry, work in works:
        rows = work.rows()
        rows.insert(0, "dataset", entry.name)
        rows.insert(1, "role", entry.role)
        frames.append(rows)
    return pd.concat(frames, ignore_index=True)


def _write_rows(
    store: Path, name: str, works: Sequence[tuple[SetEntry, SetWork]], key: str, dtype: type[np.floating]
) -> None:
    """One array whose first axis runs over the images of all sets; shards are streamed into it."""
    first = next(works[0][1].shards())[key]
    total = sum(entry.count for entry, _ in works)
    per_row = int(np.prod(first.shape[1:])) * np.dtype(dtype).itemsize
    rows = int(np.clip(CHUNK_BYTES // max(per_row, 1), 1, total))
    array = zarr.create_array(
        store=str(store),
        name=name or None,
        shape=(total, *first.shape[1:]),
        chunks=(rows, *first.shape[1:]),
        dtype=dtype,
        compressors=[BloscCodec(cname="zstd", clevel=9, shuffle="shuffle")],
    )
    buffer, start = [], 0
    for _, work in works:
        for shard in work.shards():
            buffer.append(shard[key].astype(dtype))
            if sum(map(len, buffer)) >= 2 * rows:  # whole chunks at a time: partial ones are read and rewritten
                start, buffer = _flush(array, start, buffer, rows)
    _flush(array, start, buffer, 1)


def _flush(array: zarr.Array, start: int, buffer: list[np.ndarray], multiple: int) -> tuple[int, list[np.ndarray]]:
    if not buffer:
        return start, []
    block = np.concatenate(buffer)
    ready = len(block) // multiple * multiple
    array[start : start + ready] = block[:ready]
    return start + ready, [block[ready:]] if ready < len(block) else []


def _write_moments(store: Path, works: Sequence[tuple[SetEntry, SetWork]], columns: Mapping[str, slice]) -> None:
    moments = [work.moments() for _, work in works]
    group = zarr.open_group(str(store), mode="w")
    group.attrs["columns"] = {tap: [c.start, c.stop] for tap, c in columns.items()}
    group.attrs["sets"] = [[entry.role, entry.name] for entry, _ in works]
    group.create_array("count", data=np.array([int(m["count"]) for m in moments]))
    for key in ("mean", "m2", "m2_within"):
        group.create_array(
            key,
            data=np.stack([m[key] for m in moments]),  # (set, level, feature)
            chunks=(1, *moments[0][key].shape),
            compressors=[BloscCodec(cname="zstd", clevel=9, shuffle="shuffle")],
        )
    for key in ("pair_squares", "pairs"):  # of ID-test alone (theory 11)
        for m in moments:
            if key in m:
                group.create_array(key, data=np.asarray(m[key]))
