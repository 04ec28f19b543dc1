"""Images in an archive, read one by one in memory: no member is ever written to the disk under its name."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

from ..errors import ImageError, SourceError
from . import unpacking
from .decode import MAX_ENCODED_BYTES, check_encoded_size, decode
from .listing import distinct, is_hidden, is_unsafe, label_of, printable, tidy, why_not_an_image
from .record import Record, Source

Member = TypeVar("Member")
TOO_LARGE = f"larger than {MAX_ENCODED_BYTES // 2**20} MiB"
_ENCRYPTED = 0x1
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the ones that unpack in bounded steps
#: Of the directory at a zip's end: 200,000 members take about half.
_MAX_DIRECTORY_BYTES = 64 * 2**20


class ArchiveSource(Source, Generic[Member]):
    """Every image in an archive; the parent directory's name is the label."""

    def _list(self, members: Iterable[tuple[str, Member, str | None]]) -> None:
        """Fill ``names`` and ``skipped``.

        Args:
            members: name (a directory's ends in a slash), member, reason why it cannot be used or None.

        Raises:
            SourceError: more than 200,000 members.
        """
        usable: dict[str, Member] = {}
        skipped = []
        for count, (given, member, obstacle) in enumerate(members, start=1):
            if count > unpacking.MAX_MEMBERS:
                raise SourceError(
                    f"{self.location} holds more than {unpacking.MAX_MEMBERS:,} members, which is the most allowed. "
                    "Split it, or unpack it and open the folder."
                )
            name = tidy(given)
            unsafe = is_unsafe(name)
            if not unsafe and (name.endswith("/") or not name or is_hidden(name)):
                continue
            reason = "unsafe path" if unsafe else why_not_an_image(name) or obstacle
            if reason is None and name in usable:
                reason = "the same name twice"
            if reason is None:
                usable[name] = member
            else:
                skipped.append((printable(name), reason))
        self._paths = sorted(usable)
        self._members = [usable[path] for path in self._paths]
        self.names = distinct(map(printable, self._paths))
        self.skipped = sorted(skipped)

    def _decoded(self, index: int, data: bytes) -> Record:
        check_encoded_size(len(data), self.names[index])
        return decode(data, self.names[index], label_of(self._paths[index]))


class ZipSource(ArchiveSource[zipfile.ZipInfo]):
    """Every image in a zip.

    Raises:
        SourceError: no zip, damaged, more than 200,000 members, or one that unpacks to a suspicious size.
    """

    kind = "zip"

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._file = None
        try:
            self._file = path.open("rb")
            self._archive = zipfile.ZipFile(unpacking.BoundedReads(self._file, _MAX_DIRECTORY_BYTES))
        except _DAMAGE as error:
            self.close()
            raise SourceError(
                f"{self.location} is not a readable zip archive ({printable(str(error))}). Pack it again."
            ) from error
        try:
            self._list(_zip_members(self._archive))
            unpacking.check_bomb(sum(m.file_size for m in self._members), path.stat().st_size, self.location)
        except SourceError:
            self.close()
            raise

    def _read(self, index: int) -> Record:
        try:
            with self._archive.open(self._members[index]) as member:
                data = member.read(MAX_ENCODED_BYTES + 1)  # the header's size may be a lie
        except _DAMAGE as error:
            reason = printable(str(error)) or type(error).__name__
            raise ImageError(f"{self.names[index]}: damaged inside the archive ({reason}).") from error
        return self._decoded(index, data)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _zip_members(archive: zipfile.ZipFile) -> Iterator[tuple[str, zipfile.ZipInfo, str | None]]:
    for info in archive.infolist():
        yield info.filename, info, _why_unreadable(info)


def _why_unreadable(info: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where the packer knows no Unix
    if stat.S_ISLNK(kind):
        return "link"
    if kind and not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        return "device"
    if info.flag_bits & _ENCRYPTED:
        return "encrypted"
    if info.compress_type not in _METHODS:
        return f"packed with method {info.compress_type}; allowed are stored and deflate"
    if info.file_size > MAX_ENCODED_BYTES:
        return TOO_LARGE
    return None
