"""A finished run made smaller, for a repository or a slow line."""

from __future__ import annotations

from pathlib import Path

import zarr

from cfs_explore.store.digests import file_digests
from cfs_explore.store.files import remove, write_json
from cfs_explore.store.manifest import Manifest


def drop_snapshots(run: Path, *, everything: bool = False) -> int:
    """Remove the stored snapshots of ID-train, which only fitting the other heads needs; tables made of them stay.

    Afterwards those tables can no longer be computed anew: that takes the run again. The rest can, here and in runs
    that use its stored statistics.

    Args:
        run: directory of a finished run.
        everything: remove the snapshots of all sets.

    Returns:
        The bytes that this freed.

    Raises:
        RunError: it is not finished.
    """
    manifest = Manifest.read(run)
    store = run / "snapshots.zarr"
    before = _size(store)
    kept = manifest.kept | ({"taps": []} if everything else {"without": ["id_train"]})
    others = {name: facts for name, facts in manifest.files.items() if not name.startswith("snapshots.zarr/")}
    listed = others != manifest.files
    manifest = manifest.model_copy(update={"kept": kept, "files": others})
    write_json(run / "manifest.json", manifest.model_dump(mode="json"))
    if everything:
        remove(store)
        return before
    entry = next(entry for entry in manifest.sets if entry.role == "id_train")
    for tap in manifest.kept["taps"]:  # zeros take no room, and the other rows stay where they are
        zarr.open_array(str(store / tap), mode="r+")[entry.start : entry.start + entry.count] = 0
    if listed:
        snapshots = {name: facts for name, facts in file_digests(run).items() if name.startswith("snapshots.zarr/")}
        manifest = manifest.model_copy(update={"files": others | snapshots})
        write_json(run / "manifest.json", manifest.model_dump(mode="json"))
    return before - _size(store)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
