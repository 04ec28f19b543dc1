"""Images in a zip archive, read one by one in memory: nothing is ever extracted to the disk."""

from __future__ import annotations

import re
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from ..errors import ImageError, SourceError
from .decode import MAX_ENCODED_BYTES, check_encoded_size, decode
from .listing import is_hidden, label_of, why_not_an_image
from .record import Record, Source

MAX_MEMBERS = 200_000
#: A zip that unpacks to more than RATIO_FREE_BYTES and to more than MAX_RATIO times its own size is refused.
MAX_RATIO = 100
RATIO_FREE_BYTES = 2**30
_ENCRYPTED = 0x1
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the ones that unpack in bounded steps


class ZipSource(Source):
    """Every image in a zip; the parent directory's name is the label.

    Raises:
        SourceError: no zip, damaged, more than 200,000 members, or one that unpacks to a suspicious size.
    """

    kind = "zip"

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        try:
            self._archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise SourceError(f"{path} is not a readable zip archive ({error}). Pack it again.") from error
        try:
            self._members = self._usable_members()
            self._check_bomb(path.stat().st_size)
        except SourceError:
            self.close()
            raise
        self.names = sorted(self._members)
        self.skipped.sort()

    def _usable_members(self) -> dict[str, zipfile.ZipInfo]:
        """Name -> member, for the members that may be images; the others go to ``skipped``."""
        infos = self._archive.infolist()
        if len(infos) > MAX_MEMBERS:
            raise SourceError(
                f"{self.location} holds {len(infos):,} members; allowed are {MAX_MEMBERS:,}. Split it, "
                "or unpack it and open the folder."
            )
        members: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            name = info.filename.replace("\\", "/")
            unsafe = _is_unsafe(name)
            if not unsafe and (info.is_dir() or is_hidden(name)):
                continue
            reason = "unsafe path" if unsafe else why_not_an_image(name) or _why_unreadable(info)
            if reason is None and name in members:
                reason = "the same name twice"
            if reason is None:
                members[name] = info
            else:
                self.skipped.append((name, reason))
        return members

    def _check_bomb(self, archive_bytes: int) -> None:
        unpacked = sum(info.file_size for info in self._members.values())
        if unpacked > RATIO_FREE_BYTES and unpacked > MAX_RATIO * archive_bytes:
            raise SourceError(
                f"{self.location} claims to unpack to {unpacked / archive_bytes:,.0f} times its size; "
                f"images reach at most {MAX_RATIO}. It looks like a decompression bomb; if you "
                "trust it, unpack it and open the folder."
            )

    def _read(self, index: int) -> Record:
        name = self.names[index]
        try:
            with self._archive.open(self._members[name]) as member:
                data = member.read(MAX_ENCODED_BYTES + 1)  # the header's size may be a lie
        except _DAMAGE as error:
            reason = str(error) or type(error).__name__
            raise ImageError(f"{name}: damaged inside the archive ({reason}).") from error
        check_encoded_size(len(data), name)
        return decode(data, name, label_of(name))

    def close(self) -> None:
        self._archive.close()


def _is_unsafe(name: str) -> bool:
    """Absolute names, drive letters and '..' point out of the archive."""
    return name.startswith("/") or bool(re.match(r"[A-Za-z]:", name)) or ".." in PurePosixPath(name).parts


def _why_unreadable(info: zipfile.ZipInfo) -> str | None:
    if info.flag_bits & _ENCRYPTED:
        return "encrypted"
    if info.compress_type not in _METHODS:
        return f"packed with method {info.compress_type}; allowed are stored and deflate"
    if info.file_size > MAX_ENCODED_BYTES:
        return f"larger than {MAX_ENCODED_BYTES // 2**20} MiB"
    return None
