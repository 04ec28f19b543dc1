"""Blocks of snapshots that were measured before, by a digest of what they were measured from.

One ``<key>.npy`` per block, followed by a digest of its content, in a folder that several processes may share. A cache
can only save time: a file that is damaged is deleted, and whatever the disk refuses is not kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import secrets
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import filelock
import numpy as np

#: Room on the disk that a cache leaves to the runs.
SPARE_BYTES = 10**9
#: A file under way that is older than this was left by a process that died.
_STALE_SECONDS = 3600.0
_LOCK_SECONDS = 5.0
_STAMP_BYTES = 16


class BlockCache:
    """Float32 arrays on the disk, the least recently used ones deleted when room is needed.

    What this object itself put or found stays as long as it is used: a run larger than the cache would otherwise throw
    out what it is about to read. So does what others have used meanwhile, as far as the times of files tell.

    Args:
        folder: holds the files; made when first needed.
        limit_bytes: of all files together; 0 keeps and finds nothing.
    """

    def __init__(self, folder: Path, limit_bytes: int):
        self._folder, self._limit = folder, limit_bytes
        self._since = time.time()  # files are stamped by a clock that may be a tick, or a server, behind this one
        self._own: set[str] = set()  # names of files

    def get(self, key: str, shape: Sequence[int]) -> np.ndarray | None:
        """The block under a key, or None.

        Args:
            key: letters and digits.
            shape: that the block must have; one of another shape is deleted, like a damaged one.
        """
        if not self._limit:
            return None
        path = self._path(key)
        try:
            block = _read(path, key, tuple(shape))
            if block is None:
                path.unlink(missing_ok=True)
            else:
                self._own.add(path.name)
                os.utime(path)
        except OSError:  # no such block, or no right to read it
            return None
        return block

    def put(self, key: str, block: np.ndarray) -> None:
        """Keep a float32 block, unless there is no room for it; never fails."""
        size = block.nbytes + len(_header(block.shape)) + _STAMP_BYTES
        if size > self._limit:
            return
        partial = self._folder / f"{key}.{secrets.token_hex(4)}.partial"
        with contextlib.suppress(OSError):  # filelock.Timeout is one
            self._folder.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(self._folder).free >= size + SPARE_BYTES:
                _write(partial, key, block)
                with filelock.FileLock(self._folder / "cache.lock", timeout=_LOCK_SECONDS):
                    if self._make_room(size):
                        os.replace(partial, self._path(key))
                        self._own.add(self._path(key).name)
        _discard(partial)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.npy"

    def _make_room(self, size: int) -> bool:
        """Delete the least recently used blocks until ``size`` more bytes fit; False, and none deleted, if they can't.

        The caller holds the lock.
        """
        used, old = 0, []
        for path in self._folder.iterdir():
            try:
                facts = path.stat()
            except OSError:
                continue
            if path.suffix == ".partial":
                if facts.st_mtime < time.time() - _STALE_SECONDS:
                    _discard(path)
            elif path.suffix == ".npy":
                used += facts.st_size
                if facts.st_mtime < self._since and path.name not in self._own:
                    old.append((facts.st_mtime, facts.st_size, path))
        excess = used + size - self._limit
        if excess > sum(length for _, length, _ in old):
            return False
        for _, length, path in sorted(old):
            if excess <= 0:
                break
            _discard(path)
            excess -= length
        return True


def _header(shape: tuple[int, ...]) -> bytes:
    """How an .npy file of a float32 array begins."""
    buffer = io.BytesIO()
    descr = np.lib.format.dtype_to_descr(np.dtype(np.float32))
    np.lib.format.write_array_header_1_0(buffer, {"descr": descr, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def _stamp(key: str, block: np.ndarray) -> bytes:
    """Digest of a block's key and content."""
    digest = hashlib.blake2b(key.encode(), digest_size=_STAMP_BYTES)
    digest.update(block.data)
    return digest.digest()


def _write(path: Path, key: str, block: np.ndarray) -> None:
    block = np.ascontiguousarray(block, dtype=np.float32)
    with path.open("wb") as file:
        file.write(_header(block.shape))
        file.write(block.data)
        file.write(_stamp(key, block))


def _read(path: Path, key: str, shape: tuple[int, ...]) -> np.ndarray | None:
    """The block of a file, None if it is damaged or another one. Nothing in the file decides how much is read.

    Raises:
        OSError: it is not there or cannot be read.
    """
    block = np.empty(shape, dtype=np.float32)
    with path.open("rb") as file:
        head = _header(shape)
        whole = file.read(len(head)) == head and file.readinto(block.data.cast("B")) == block.nbytes
        if not whole or file.read(_STAMP_BYTES + 1) != _stamp(key, block):
            return None
    return block


def _discard(path: Path) -> None:
    """Delete a file if the system lets us."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
