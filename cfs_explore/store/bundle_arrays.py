"""Whether the zarr arrays of a run that came from elsewhere are those that its manifest promises.

Nothing is decoded before the sizes that its own headers claim are known to be right: no header makes a reader ask for
memory beyond what the counts of the run explain.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import zarr

from cfs_explore.errors import RunError
from cfs_explore.store.array_files import ArrayFiles, check_chunk, promised_arrays, read_metadata
from cfs_explore.store.files import BAD_ZARR, write_json
from cfs_explore.store.manifest import Manifest

MAX_ARRAY_BYTES = 8 * 2**30
#: All arrays together may be this many times as large as their files, beyond ``_FREE_BYTES``: zeros take no room.
_MAX_RATIO, _FREE_BYTES = 64, 64 * 2**20
_GROUP = {"attributes": {}, "zarr_format": 3, "node_type": "group"}


def check_arrays(run: Path, manifest: Manifest) -> None:
    """Check scores.zarr, moments.zarr and snapshots.zarr.

    Raises:
        RunError: naming the file.
    """
    arrays = list(promised_arrays(run, manifest).values())
    stored = sum(path.stat().st_size for store in run.glob("*.zarr") for path in store.rglob("*") if path.is_file())
    promised = sum(array.nbytes for array in arrays)
    if promised > min(_FREE_BYTES + _MAX_RATIO * stored, MAX_ARRAY_BYTES):
        raise RunError(f"manifest.json promises arrays of {promised:,} bytes, but the files hold {stored:,}.")
    names = {array.name for array in arrays}
    for path in run.glob("*.zarr/**/zarr.json"):
        name = path.parent.relative_to(run).as_posix()
        if name not in names and name not in ("moments.zarr", "snapshots.zarr"):
            raise RunError(f"{name}/zarr.json belongs to no array of this run.")
    for array in arrays:
        _check_files(run / array.name, array)
        _check_values(run / array.name, array)
    if "snapshots.zarr" in {path.name for path in run.glob("*.zarr")}:
        write_json(run / "snapshots.zarr" / "zarr.json", _GROUP, flush=False)
    _check_moments(run, manifest)


def _check_files(folder: Path, array: ArrayFiles) -> None:
    """Metadata as this project writes it, a chunk at every place where the metadata says, each of the size it says."""
    chunk, metadata = read_metadata(folder / "zarr.json", array)
    write_json(folder / "zarr.json", metadata, flush=False)
    places = dict(array.places(chunk))
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != "zarr.json" and name not in places:
            raise RunError(f"{array.name}/{name} is outside the array, whose shape is {array.shape}.")
    for name, index in places.items():
        try:
            check_chunk(folder / name, array, metadata)
        except FileNotFoundError as error:
            if not array.may_lack(index, chunk):
                raise RunError(f"{array.name}/{name} is missing.") from error


def _check_values(folder: Path, array: ArrayFiles) -> None:
    """Decode everything once, block by block."""
    try:
        opened = zarr.open_array(str(folder), mode="r")
        step = opened.chunks[0] if array.shape else 1
        for start in range(0, array.shape[0] if array.shape else 1, step):
            block = opened[start : start + step] if array.shape else opened[()]
            if array.finite and not np.isfinite(block).all():
                raise RunError(f"{array.name} holds values that are not finite numbers.")
    except BAD_ZARR as error:
        raise RunError(f"{array.name} cannot be read ({error!s:.200}). It is damaged.") from error


def _check_moments(run: Path, manifest: Manifest) -> None:
    """The moments' features, sets and counts; and the group's file, written anew."""
    columns, stop = {}, 0
    for tap in manifest.tap_list():
        columns[tap.name] = [stop, stop + 2 * tap.channels]
        stop += 2 * tap.channels
    ours = {"columns": columns, "sets": [[entry.role, entry.name] for entry in manifest.sets]}
    path = run / "moments.zarr" / "zarr.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))["attributes"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise RunError("moments.zarr/zarr.json is not a zarr group.") from error
    if stored != ours:
        raise RunError("moments.zarr/zarr.json: its columns or sets are not those of manifest.json.")
    write_json(path, {**_GROUP, "attributes": ours}, flush=False)
    group = zarr.open_group(str(run / "moments.zarr"), mode="r")
    if group["count"][:].tolist() != [entry.samples for entry in manifest.sets]:
        raise RunError("moments.zarr/count differs from sets.samples in manifest.json.")
    for key in ("m2", "m2_within"):
        if any((group[key][index] < 0).any() for index in range(len(manifest.sets))):
            raise RunError(f"moments.zarr/{key} has negative sums of squares.")
