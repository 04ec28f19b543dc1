"""A finished run made smaller, for a repository or a slow line."""

from __future__ import annotations

from pathlib import Path

from cfs_explore.store.files import remove, write_json
from cfs_explore.store.manifest import Manifest


def drop_snapshots(run: Path) -> int:
    """Remove the stored snapshots; the tables that were made of them stay, and so do scores and moments.

    Afterwards the other heads and the channel ranking can no longer be computed anew: that takes the run again.

    Args:
        run: directory of a finished run.

    Returns:
        The bytes that this freed.

    Raises:
        RunError: it is not finished.
    """
    manifest = Manifest.read(run)
    write_json(
        run / "manifest.json",
        manifest.model_copy(update={"kept": {**manifest.kept, "taps": []}}).model_dump(mode="json"),
    )
    folder = run / "snapshots.zarr"
    freed = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    remove(folder)
    return freed
