"""Images in a tar archive, plain or compressed, read at their offsets."""

from __future__ import annotations

import bz2
import gzip
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from ..errors import ImageError, SourceError
from ..safe_io.bounded_reads import BoundedReads
from .archive import TOO_LARGE, ArchiveSource
from .decode import MAX_ENCODED_BYTES
from .listing import printable
from .unpacking import Readable, unpack

TAR_EXTENSIONS = (".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_XZ = b"\xfd7zXZ\x00"
#: Longest header (a long name, a pax record) that is read, and records for all members that are kept.
_MAX_HEADER_BYTES = 2**17
_MAX_GLOBAL_RECORDS = 256
#: What tarfile and the decompressors raise on damaged files; tarfile recurses through long names and pax records.
TAR_DAMAGE = (
    tarfile.TarError,
    zlib.error,
    pa.ArrowException,
    OSError,
    EOFError,
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    RecursionError,
)


class TarSource(ArchiveSource[tuple[int, int]]):
    """Every image in a tar archive; a compressed one is unpacked once into a nameless temporary file.

    gzip, zstd and bzip2 are recognised by the first bytes, whatever the file is called.

    Raises:
        SourceError: no tar, damaged, more than 200,000 members, a decompression bomb, or no room to unpack it.
    """

    kind = "tar"

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        try:
            self._file = _open_plain(path, self.location)
            with tarfile.TarFile(fileobj=BoundedReads(self._file, _MAX_HEADER_BYTES), errors="surrogateescape") as tar:
                self._list(tar_members(tar, self._file))
        except TAR_DAMAGE as error:
            self.close()
            raise SourceError(
                f"{self.location} is not a readable tar archive ({printable(str(error)) or type(error).__name__}). "
                "Pack it again."
            ) from error
        except SourceError:
            self.close()
            raise

    def encoded(self, index: int) -> tuple[bytes, str]:
        offset, size = self._members[index]
        try:
            self._file.seek(offset)
            data = self._file.read(size)
        except (OSError, ValueError) as error:
            raise ImageError(f"{self.names[index]}: cannot be read from the archive ({error}).") from error
        if len(data) < size:
            raise ImageError(f"{self.names[index]}: damaged inside the archive (it ends after {len(data)} bytes).")
        return self._labelled(index, data)


def _open_plain(path: Path, location: str) -> BinaryIO:
    """The tar without its compression, seekable."""
    with path.open("rb") as file:
        start = file.read(6)
    if start.startswith(_XZ):
        raise SourceError(
            f"{location} is packed with xz, which is not read; allowed are gzip, zstd, bzip2 or none. Pack it again."
        )
    stream = _decompressed(path, start)
    if stream is None:
        return path.open("rb")
    with stream:
        return unpack(stream, path.stat().st_size, location)


def _decompressed(path: Path, start: bytes) -> Readable | None:
    """A stream of the unpacked bytes; None where the file is not compressed."""
    if start.startswith(b"\x1f\x8b"):
        return gzip.open(path)
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        return pa.CompressedInputStream(str(path), "zstd")
    if start.startswith(b"BZh"):
        return bz2.open(path)
    return None


def tar_members(tar: tarfile.TarFile, file: BinaryIO) -> Iterator[tuple[str, tuple[int, int], str | None]]:
    """(name, (offset, size), reason) of each member; directories end in a slash.

    Raises:
        ValueError: a header in the middle is damaged, where tarfile would take it for the end.
    """
    offset = -1
    while (member := tar.next()) is not None:
        if tar.offset <= offset:
            raise ValueError("a header points backwards")
        if len(tar.pax_headers) > _MAX_GLOBAL_RECORDS:
            raise ValueError("too many global headers")
        offset = tar.offset
        tar.members.clear()  # they would all be kept
        name = f"{member.name}/" if member.isdir() else member.name
        yield name, (member.offset_data, member.size), _why_unreadable(member)
    file.seek(tar.offset)
    rest = file.read(tarfile.BLOCKSIZE)
    if rest.strip(b"\0") or 0 < len(rest) < tarfile.BLOCKSIZE:
        raise ValueError(f"damaged or truncated at byte {tar.offset:,}")


def _why_unreadable(member: tarfile.TarInfo) -> str | None:
    if member.issym() or member.islnk():
        return "link"
    if member.issparse():
        return "sparse file"
    if not member.isreg():
        return "device"
    return TOO_LARGE if member.size > MAX_ENCODED_BYTES else None
