"""Writing so that a reader never sees half a file, even after a power cut: aside first, flushed, then renamed."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from cfs_explore.errors import RunError

#: What reading a damaged .npz raises.
BAD_ARRAYS = (OSError, ValueError, KeyError, EOFError, NotImplementedError, RuntimeError, MemoryError, zipfile.error)
#: What reading a damaged zarr array raises.
BAD_ZARR = (OSError, ValueError, TypeError, KeyError, IndexError, RuntimeError, MemoryError, OverflowError)
#: What reading a damaged Parquet file raises.
BAD_TABLE = (pa.ArrowException, OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError, MemoryError,
             OverflowError)  # fmt: skip


@contextlib.contextmanager
def write_aside(path: Path, *, flush: bool = True) -> Iterator[Path]:
    """Give a temporary path beside ``path``; rename it onto ``path`` when the body succeeds.

    Works for files and for directories (an existing directory is replaced).

    Args:
        path: where to.
        flush: wait until the disk has the content before the rename makes it count; without, a power cut may lose it,
            which is right for what is replaced every second.

    Raises:
        RunError: the disk refuses (full, read-only, not there any more); nothing half-written remains.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove(partial)
        yield partial
        if flush:
            _flush(partial)
        if partial.is_dir():
            remove(path)
        os.replace(partial, path)
        if flush:
            _flush_folder(path.parent)
    except OSError as error:
        _discard(partial)
        raise RunError(_refusal(path, error)) from error
    except BaseException:
        _discard(partial)
        raise


def _refusal(path: Path, error: OSError) -> str:
    """The error of a disk that refuses."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"The disk is full: {path.parent} could not take {path.name}. Everything finished so far is kept; "
            "free some space and start the run again: it continues from there."
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return (
            f"{path.parent} could not take {path.name}: the folder is read-only for this program. Everything finished "
            "so far is kept; give it the right to write there and start the run again: it continues from there."
        )
    if not path.parent.exists():
        return f"{path.parent} could not take {path.name}: the folder is not there any more. Put it back."
    return (
        f"{path.parent} could not take {path.name} ({error.strerror or error}). Everything finished so far is kept; "
        "check the disk and start the run again: it continues from there."
    )


def _flush(partial: Path) -> None:
    """Wait until the disk has a file, or all files of a folder."""
    if not partial.is_dir():
        _flush_file(partial)
        return
    for folder, _, names in os.walk(partial):
        for name in names:
            _flush_file(Path(folder, name))
        _flush_folder(Path(folder))


def _flush_file(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Wait until the disk knows the names in a folder; where the system knows no such thing, nothing."""
    if os.name != "posix":
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    except OSError as error:  # some network disks take no such wish for a folder
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(number)


def _discard(partial: Path) -> None:
    """Remove what was written aside, if the disk lets us: what went wrong is reported already."""
    with contextlib.suppress(OSError):
        remove(partial)


def remove(path: Path) -> None:
    """Delete a file or a directory tree, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_json(path: Path, content: dict, *, flush: bool = True) -> None:
    """Write JSON atomically; ``flush`` as for ``write_aside``."""
    with write_aside(path, flush=flush) as partial:
        partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write_table(path: Path, frame: pd.DataFrame, *, flush: bool = True) -> None:
    """Write Parquet atomically, each page with its checksum; ``flush`` as for ``write_aside``."""
    with write_aside(path, flush=flush) as partial:
        frame.to_parquet(partial, index=False, compression="zstd", write_page_checksum=True)


def read_table(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read what ``write_table`` wrote; one of ``BAD_TABLE`` where that is not what is there."""
    return pd.read_parquet(path, columns=columns, page_checksum_verification=True)


def save_arrays(path: Path, arrays: dict[str, np.ndarray], *, flush: bool = True) -> None:
    """Write named arrays to an .npz atomically; ``flush`` as for ``write_aside``."""
    with write_aside(path, flush=flush) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)


def load_arrays(path: Path, names: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Read what ``save_arrays`` wrote, or these of its arrays; never unpickles. One of ``BAD_ARRAYS`` where that is
    not what is there: each array carries a checksum."""
    with np.load(path, allow_pickle=False) as content:
        return {name: content[name] for name in names or content.files}
