"""Files on object storage, by addresses such as s3://bucket/name, through fsspec (the optional extra ``cloud``).

They are for the owner alone: a process that fetches for visitors opens none, whatever names them.
"""

from __future__ import annotations

import re
from typing import Any, BinaryIO

from cfs_explore.errors import FetchError, SourceError
from cfs_explore.safe_io.fetching import is_restricted

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
INSTALL = 'pip install "cfs-explore[cloud]"'


def is_remote(place: str) -> bool:
    """Whether it is an address, not a path of this computer."""
    return _ADDRESS.match(place) is not None


def file_system(address: str) -> tuple[Any, str]:
    """fsspec's file system of an address, and the path in it.

    Raises:
        FetchError: this process acts for visitors. SourceError: a library is missing, or there is no such kind.
    """
    if is_restricted():
        raise FetchError(
            f"{address} is an address, which this server does not fetch for its visitors. Upload the file."
        )
    protocol = _ADDRESS.match(address).group(1).lower()
    try:
        import fsspec
    except ImportError as error:
        raise SourceError(f"{address} needs the library fsspec: {INSTALL}") from error
    try:
        return fsspec.core.url_to_fs(address)
    except ImportError as error:
        raise SourceError(
            f"{address} needs the library for {protocol}:// beside fsspec ({error}). Install it: s3fs for s3, gcsfs "
            "for gs, adlfs for abfs."
        ) from error
    except Exception as error:
        raise SourceError(f"{address} cannot be reached ({_reason(error)}).") from error


def matching(address: str) -> list[str]:
    """The addresses that one with * or ? stands for, sorted.

    Raises:
        FetchError, SourceError: as of ``file_system``.
    """
    system, path = file_system(address)
    try:
        return sorted(system.unstrip_protocol(found) for found in system.glob(path))
    except Exception as error:
        raise SourceError(f"{address} cannot be listed ({_reason(error)}).") from error


def open_remote(address: str, block: int) -> BinaryIO:
    """A file to read and seek in, fetched in blocks of so many bytes.

    Raises:
        FetchError, SourceError: as of ``file_system``, or it is not there.
    """
    system, path = file_system(address)
    try:
        return system.open(path, "rb", block_size=block)
    except Exception as error:
        raise SourceError(f"{address} cannot be opened ({_reason(error)}).") from error


def read_range(address: str, start: int, size: int) -> bytes:
    """These bytes of a file, and no others; fewer where it ends before.

    Raises:
        OSError: they cannot be read. FetchError, SourceError: as of ``file_system``.
    """
    system, path = file_system(address)
    try:
        return system.cat_file(path, start=start, end=start + size)
    except Exception as error:
        raise OSError(_reason(error)) from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
