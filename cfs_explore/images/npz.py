"""The arrays of a .npz, mapped from temporary files: memory does not grow with the archive."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import SourceError
from ..safe_io.bounded_reads import open_zip
from .listing import printable
from .unpacking import unpack

#: What NumPy and zipfile raise on damaged files; NumPy parses headers with Python's own tokenizer.
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
    SyntaxError,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    MemoryError,
)

#: Usual names of the images, best first, and of their labels, in any case; also behind or before a split's name.
IMAGE_WORDS = ("images", "image", "imgs", "img", "x", "data", "pixels")
LABEL_WORDS = ("labels", "label", "y", "targets", "target", "classes", "class", "fine_labels", "fine_label")
MAX_LABEL_BYTES = 256 * 2**20
_MAX_DIRECTORY_BYTES, _MAX_ARRAYS = 16 * 2**20, 1_000
_HEADER_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npz(path: Path, key: str | None, location: str) -> tuple[str, np.ndarray, np.ndarray | None, str, BinaryIO]:
    """The images and labels of a .npz.

    Args:
        path: of the file.
        key: of the images; None: its only key that is no labels', or the first of ``IMAGE_WORDS``.
        location: how messages call the file.

    Returns:
        key; images, mapped from the temporary file that comes last; labels or None; what is to be said of the labels,
        or ''; the temporary file, for the caller to close.

    Raises:
        SourceError: no such key, or it needs too much room.
        What NumPy and zipfile raise on damage, ValueError for objects.
    """
    with path.open("rb") as file, open_zip(file, _MAX_ARRAYS, _MAX_DIRECTORY_BYTES) as archive:
        members = {name.removesuffix(".npy"): name for name in archive.namelist()}
        key = _images_key(list(members), key, location)
        labels, said = None, ""
        labels_key = _labels_key(list(members), key)
        if labels_key is not None:
            labels, said = _labels(archive, members[labels_key], location)
        images, spool = _map(archive, members[key], location)
        return key, images, labels, said, spool


def _labels(archive: zipfile.ZipFile, member: str, location: str) -> tuple[np.ndarray | None, str]:
    """The labels, or None and why they are left out: they are no reason to lose the images."""
    if archive.getinfo(member).file_size > MAX_LABEL_BYTES:
        return None, f"The labels were left out: they take more than {MAX_LABEL_BYTES // 2**20} MiB."
    try:
        mapped, spool = _map(archive, member, location)
    except UNREADABLE as error:
        return None, f"The labels were left out: {printable(str(error)) or type(error).__name__}."
    with spool:
        return np.array(mapped), ""


def _images_key(keys: list[str], key: str | None, location: str) -> str:
    listed = ", ".join(printable(k) for k in keys[:20]) or "none"
    if key is not None and key not in keys:
        raise SourceError(f"{location} has no array {key!r}, which `key` names. Its keys are {listed}.")
    candidates = [k for k in keys if _word(k, LABEL_WORDS) is None]
    usual = [k for k in candidates if k.lower() in IMAGE_WORDS]
    best = min(usual, key=lambda k: IMAGE_WORDS.index(k.lower()), default=None)
    split = [k for k in candidates if _word(k, IMAGE_WORDS) is not None]
    found = key or best or (split[0] if len(split) == 1 else None)
    found = found or (candidates[0] if len(candidates) == 1 else None)
    if found is None:
        raise SourceError(
            f"{location}: which array holds the images? Its keys are {listed}; name one of them "
            f"{' or '.join(IMAGE_WORDS[:3])}, keep only one, or say {{'path': ..., 'key': ...}}."
        )
    return found


def _labels_key(keys: list[str], images: str) -> str | None:
    """The labels with the same split in their name as the images: 'train_images' and 'train_labels'."""
    labels = [k for k in keys if k != images and _word(k, LABEL_WORDS) is not None]
    split = _split(images, IMAGE_WORDS)
    same = (k for k in labels if _split(k, LABEL_WORDS) == split)
    return min(same, key=lambda k: LABEL_WORDS.index(_word(k, LABEL_WORDS)), default=None)


def _word(key: str, words: tuple[str, ...]) -> str | None:
    """The usual name that a key is, or begins or ends with beside a split's, such as 'x_train' and 'test_images'."""
    low = key.lower()
    if low in words:
        return low
    longest = sorted(words, key=len, reverse=True)
    return next((w for w in longest if low.endswith(f"_{w}") or low.startswith(f"{w}_")), None)


def _split(key: str, words: tuple[str, ...]) -> str:
    word = _word(key, words)
    return "" if word is None else key.lower().removeprefix(word).removesuffix(word).strip("_")


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
