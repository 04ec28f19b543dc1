"""Images in an archive, read one by one in memory: no member is ever written to the disk under its name."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

from ..errors import ImageError, SourceError
from ..safe_io.bounded_reads import TooManyMembersError
from . import unpacking
from .decode import MAX_ENCODED_BYTES, check_encoded_size
from .encoded import EncodedSource
from .listing import distinct, is_hidden, is_unsafe, label_of, printable, tidy, why_not_an_image
from .zip_names import open_listing, read_names

Member = TypeVar("Member")
BAD_NAME = "its name cannot be read"
TOO_LARGE = f"larger than {MAX_ENCODED_BYTES // 2**20} MiB"
_ENCRYPTED = 0x1
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the ones that unpack in bounded steps
#: Of the directory at a zip's end: 200,000 members take about half.
_MAX_DIRECTORY_BYTES = 64 * 2**20


class ArchiveSource(EncodedSource, Generic[Member]):
    """Every image in an archive; the parent directory's name is the label."""

    _file: BinaryIO | None = None

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
                raise _too_many(self.location)
            name = tidy(given)
            unsafe = is_unsafe(name)
            if not unsafe and (name.endswith("/") or not name or is_hidden(name)):
                continue
            reason = "unsafe path" if unsafe else why_not_an_image(name) or obstacle
            reason = BAD_NAME if obstacle == BAD_NAME else reason
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

    def labels(self) -> list[str]:
        return [label_of(path) for path in self._paths]

    def _labelled(self, index: int, data: bytes) -> tuple[bytes, str]:
        check_encoded_size(len(data), self.names[index])
        return data, label_of(self._paths[index])

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _too_many(location: str) -> SourceError:
    return SourceError(
        f"{location} holds more than {unpacking.MAX_MEMBERS:,} members, which is the most allowed. Split it, or unpack "
        "it and open the folder."
    )


class ZipSource(ArchiveSource[zipfile.ZipInfo]):
    """Every image in a zip.

    Raises:
        SourceError: no zip, damaged, more than 200,000 members, or one that unpacks to a suspicious size.
    """

    kind = "zip"

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        try:
            self._file = path.open("rb")
            self._archive = open_listing(self._file, unpacking.MAX_MEMBERS, _MAX_DIRECTORY_BYTES)
        except TooManyMembersError as error:
            self.close()
            raise _too_many(self.location) from error
        except _DAMAGE as error:
            self.close()
            raise SourceError(
                f"{self.location} is not a readable zip archive ({printable(str(error))}): it may be cut off. Copy or "
                "pack it again."
            ) from error
        try:
            names, said = read_names(self._archive.infolist())
            self.remarks += [said] if said else []
            self._list(_zip_members(self._archive, names))
            unpacking.check_bomb(sum(m.file_size for m in self._members), path.stat().st_size, self.location)
        except SourceError:
            self.close()
            raise

    def encoded(self, index: int) -> tuple[bytes, str]:
        try:
            with self._archive.open(self._members[index]) as member:
                data = member.read(MAX_ENCODED_BYTES + 1)  # the header's size may be a lie
        except _DAMAGE as error:
            reason = printable(str(error)) or type(error).__name__
            raise ImageError(f"{self.names[index]}: damaged inside the archive ({reason}).") from error
        return self._labelled(index, data)


def _zip_members(
    archive: zipfile.ZipFile, names: list[str | None]
) -> Iterator[tuple[str, zipfile.ZipInfo, str | None]]:
    for info, name in zip(archive.infolist(), names, strict=True):
        yield (info.orig_filename, info, BAD_NAME) if name is None else (name, info, _why_unreadable(info))


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
