"""Writing so that a reader never sees half a file: aside first, then renamed."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from cfs_explore.errors import RunError


@contextlib.contextmanager
def write_aside(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; rename it onto ``path`` when the body succeeds.

    Works for files and for directories (an existing directory is replaced).

    Raises:
        RunError: when the disk is full; nothing half-written remains.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    remove(partial)
    try:
        yield partial
        if partial.is_dir():
            remove(path)
        os.replace(partial, path)
    except OSError as error:
        remove(partial)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RunError(
                f"The disk is full: {path.parent} could not take {path.name}. Everything finished so far is kept; "
                "free some space and start the run again, it goes on from there."
            ) from error
        raise


def remove(path: Path) -> None:
    """Delete a file or a directory tree, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_json(path: Path, content: dict) -> None:
    """Write JSON atomically."""
    with write_aside(path) as partial:
        partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write_table(path: Path, frame: pd.DataFrame) -> None:
    """Write Parquet atomically."""
    with write_aside(path) as partial:
        frame.to_parquet(partial, index=False, compression="zstd")


def save_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write named arrays to an .npz atomically."""
    with write_aside(path) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read what ``save_arrays`` wrote; never unpickles."""
    with np.load(path, allow_pickle=False) as content:
        return dict(content)
