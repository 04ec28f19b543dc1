"""Reading what headers claim, within bounds: for libraries that read, and build, as much as a file says of itself."""

from __future__ import annotations

import zipfile
from typing import BinaryIO

#: How each member begins in a zip's directory, and its fewest bytes there.
ENTRY, ENTRY_BYTES = b"PK\x01\x02", 46


class TooManyMembersError(ValueError):
    """A zip lists more members than are allowed."""


class BoundedReads:
    """A binary file that refuses to read much at once, or to go beyond its end.

    Args:
        file: the file; closing stays with the caller.
        most: bytes of the longest read.
    """

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file = file
        self._most = most
        self._end = file.seek(0, 2)
        file.seek(0)

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes; no more room is taken than there is to read.

        Raises:
            ValueError: that would be more than ``most``.
        """
        if size is None or size < 0 or size > self._most:
            size = max(0, self._end - self._file.tell())
            if size > self._most:
                raise ValueError(f"a header of more than {self._most:,} bytes")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to a position.

        Raises:
            ValueError: it is far behind the end.
        """
        if offset > self._end + self._most:
            raise ValueError(f"a header points to byte {offset:,}, and there are {self._end:,}")
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The position."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Always."""
        return True


def open_zip(file: BinaryIO, most_members: int, most_bytes: int) -> zipfile.ZipFile:
    """A zip whose directory has a bounded size: checked as it is read, before anything is made of it.

    What its last records claim is not trusted; the members are counted in the directory itself.

    Args:
        file: of the zip; closing stays with the caller.
        most_members: in its directory.
        most_bytes: of its directory.

    Raises:
        TooManyMembersError: it lists more members.
        What zipfile raises on damage, ValueError for a larger directory.
    """
    return zipfile.ZipFile(DirectoryReads(file, most_members, most_bytes))


class DirectoryReads(BoundedReads):
    """Bounded reads of a zip, whose directory zipfile reads at once."""

    def __init__(self, file: BinaryIO, most_members: int, most_bytes: int) -> None:
        super().__init__(file, most_bytes)
        self._most_members = most_members

    def read(self, size: int = -1) -> bytes:
        data = super().read(size)
        if len(data) > ENTRY_BYTES * self._most_members and data.count(ENTRY) > self._most_members:
            raise TooManyMembersError(f"more than {self._most_members:,} members")
        return data
