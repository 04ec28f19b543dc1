"""The arrays of a .npz, mapped from temporary files: memory does not grow with the archive."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import SourceError
from .listing import printable
from .unpacking import BoundedReads, unpack

IMAGE_KEYS = ("images", "x", "data")
LABEL_KEYS = ("labels", "y")
MAX_LABEL_BYTES = 256 * 2**20
_MAX_DIRECTORY_BYTES = 16 * 2**20
_HEADER_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npz(path: Path, key: str | None, location: str) -> tuple[str, np.ndarray, np.ndarray | None, BinaryIO]:
    """The images and labels of a .npz.

    Args:
        path: of the file.
        key: of the images; None: its only key, or the first of ``IMAGE_KEYS``.
        location: how messages call the file.

    Returns:
        key; images, mapped from the temporary file that comes last; labels or None; the temporary file, for the caller
        to close.

    Raises:
        SourceError: no such key, or it needs too much room.
        What NumPy and zipfile raise on damage, ValueError for objects.
    """
    with path.open("rb") as file, zipfile.ZipFile(BoundedReads(file, _MAX_DIRECTORY_BYTES)) as archive:
        members = {name.removesuffix(".npy"): name for name in archive.namelist()}
        key, labels_key = _choose(list(members), key, location)
        labels = None
        if labels_key is not None:
            if archive.getinfo(members[labels_key]).file_size > MAX_LABEL_BYTES:
                raise SourceError(f"{location}: the labels take more than {MAX_LABEL_BYTES // 2**20} MiB.")
            mapped, spool = _map(archive, members[labels_key], location)
            labels = np.array(mapped)
            spool.close()
        images, spool = _map(archive, members[key], location)
        return key, images, labels, spool


def _choose(keys: list[str], key: str | None, location: str) -> tuple[str, str | None]:
    """The keys of the images and of the labels."""
    told = ", ".join(printable(k) for k in keys[:20]) or "none"
    if key is not None and key not in keys:
        raise SourceError(f"{location} has no array {key!r}, which `key` names. Its keys are {told}.")
    labels_key = next((k for k in LABEL_KEYS if k in keys and k != key), None)
    candidates = [k for k in keys if k != labels_key]
    named = [k for k in IMAGE_KEYS if k in candidates]
    found = key or (candidates[0] if len(candidates) == 1 else next(iter(named), None))
    if found is None:
        raise SourceError(
            f"{location}: which array holds the images? Its keys are {told}; name one of them "
            f"{' or '.join(IMAGE_KEYS)}, keep only one, or say {{'path': ..., 'key': ...}}."
        )
    return found, labels_key


def _map(archive: zipfile.ZipFile, member: str, location: str) -> tuple[np.ndarray, BinaryIO]:
    """One array, mapped read-only from a temporary file, and that file."""
    with archive.open(member) as stream:
        spool = unpack(stream, archive.getinfo(member).compress_size, location)
    try:
        shape, fortran, dtype = _HEADER_READERS[np.lib.format.read_magic(spool)](spool)
        if dtype.hasobject:
            raise ValueError(f"the array {printable(member)} holds Python objects")
        start = spool.tell()
        n_bytes = dtype.itemsize * int(np.prod(shape, dtype=object))
        if n_bytes > spool.seek(0, 2) - start or min(shape, default=0) < 0:
            raise ValueError(f"the array {printable(member)} is truncated")
        order = "F" if fortran else "C"
        if n_bytes == 0:
            return np.empty(shape, dtype, order), spool
        return np.memmap(spool, dtype, "r", start, shape, order), spool
    except BaseException:
        spool.close()
        raise
