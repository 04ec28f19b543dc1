"""The names in a zip, which says of few how they are encoded: one reading for the whole archive, and what it is."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from typing import BinaryIO

import charset_normalizer

from ..safe_io.bounded_reads import ENTRY, ENTRY_BYTES, DirectoryReads

_HEADER, _HEADER_SIZE = b"PK\x03\x04", 30
_UTF8_FLAG, _UNICODE_PATH = 0x800, 0x7075
#: What packers write that say nothing, in the order in which equally plausible ones are tried.
_ENCODINGS = ("cp932", "gb18030", "big5hkscs", "cp949", "cp866", "cp1251", "cp1250", "cp1252", "cp1253")
_PLAIN = "cp437"  # what the format itself says
#: How much less plausible than the best a reading may be, of 1; and how many bytes of names are looked at.
_CLOSE, _LOOKED_AT = 0.03, 20_000
#: Those of ``_ENCODINGS`` in which not every name can be read, and the words it takes beside each that cannot.
_SEVERAL_BYTES, _WORDS_PER_ODD = ("cp932", "gb18030", "big5hkscs", "cp949"), 4
_HALF_WIDTH = re.compile("[\uff61-\uff9f]")
_WORD = re.compile(r"[^\W\d_]+")


class NamesAsBytes(DirectoryReads):
    """A zip that says of no name that it is UTF-8, neither in its directory nor before a member.

    So each is decoded from its bytes; ``zipfile`` refuses the whole archive for one that is not what its flag says.
    """

    listing = True

    def read(self, size: int = -1) -> bytes:
        """As ``DirectoryReads.read``, with the flags of names cleared."""
        data = super().read(size)
        if self.listing and data.startswith(ENTRY):
            return _without_flags(data)
        if len(data) == _HEADER_SIZE and data.startswith(_HEADER):
            return data[:6] + struct.pack("<H", int.from_bytes(data[6:8], "little") & ~_UTF8_FLAG) + data[8:]
        return data


def open_listing(file: BinaryIO, most_members: int, most_bytes: int) -> zipfile.ZipFile:
    """A zip whose names are bytes in cp437; bounds and errors are those of ``bounded_reads.open_zip``."""
    reads = NamesAsBytes(file, most_members, most_bytes)
    archive = zipfile.ZipFile(reads)
    reads.listing = False
    return archive


def read_names(infos: list[zipfile.ZipInfo]) -> tuple[list[str | None], str]:
    """The names of an archive's members, None for one that cannot be read, and what was guessed, '' for nothing.

    UTF-8 and the Unicode path of the packer come first; what is left is read in one encoding for the whole archive. A
    backslash that is then still there is a separator, and no byte of a letter.
    """
    raw = [info.orig_filename.encode(_PLAIN).partition(b"\0")[0] for info in infos]
    names = [_stated(name, info.extra) for name, info in zip(raw, infos, strict=True)]
    unsaid = [name for name, stated in zip(raw, names, strict=True) if stated is None]
    encoding = _guess(unsaid) if unsaid else ""
    read = [stated if stated is not None else _decoded(name, encoding) for name, stated in zip(raw, names, strict=True)]
    guessed = sum(name is not None for name, stated in zip(read, names, strict=True) if stated is None)
    remark = f"The archive does not say how {guessed} of its names are written; they are read as {encoding}."
    return read, remark if guessed and encoding != _PLAIN else ""


def _without_flags(directory: bytes) -> bytes:
    changed, at = bytearray(directory), 0
    while changed[at : at + 4] == ENTRY and at + ENTRY_BYTES <= len(changed):
        (flags,) = struct.unpack_from("<H", changed, at + 8)
        struct.pack_into("<H", changed, at + 8, flags & ~_UTF8_FLAG)
        at += ENTRY_BYTES + sum(struct.unpack_from("<HHH", changed, at + 28))
    return bytes(changed)


def _stated(name: bytes, extra: bytes) -> str | None:
    """The name as UTF-8, or as the packer wrote it beside; None where neither is there."""
    beside = _unicode_path(name, extra)
    return beside if beside is not None else _decoded(name, "utf-8")


def _unicode_path(name: bytes, extra: bytes) -> str | None:
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, at)
        part = extra[at + 4 : at + 4 + size]
        if kind == _UNICODE_PATH and len(part) > 5 and part[0] == 1:
            (digest,) = struct.unpack_from("<I", part, 1)
            return _decoded(part[5:], "utf-8") if digest == zlib.crc32(name) else None
        at += 4 + size
    return None


def _decoded(name: bytes, encoding: str) -> str | None:
    try:
        return name.decode(encoding) if encoding else None
    except UnicodeDecodeError:
        return None


def _guess(names: list[bytes]) -> str:
    """The encoding in which names, none of which is UTF-8, make most sense together.

    An encoding of several bytes a letter reads no odd bytes, where those of one read anything: it also counts where a
    few names are none of its, if it is what the others say.
    """
    for encoding in _SEVERAL_BYTES:
        read = [name for name in names if _makes_sense(_decoded(name, encoding))]
        words = {word for name in read for word in _WORD.findall(name.decode(encoding)) if not word.isascii()}
        odd = len(set(names)) - len(set(read))
        if 0 < odd <= len(words) / _WORDS_PER_ODD and _guess_from(read) == encoding:
            return encoding
    return _guess_from(names)


def _makes_sense(text: str | None) -> bool:
    return text is not None and text.isprintable() and not _HALF_WIDTH.search(text)


def _guess_from(names: list[bytes]) -> str:
    text, size = b"", 0
    for name in sorted(set(names)):
        size += len(name) + 1
        text += name + b"\n" if size <= _LOOKED_AT or not text else b""
    found = charset_normalizer.from_bytes(text, cp_isolation=[_PLAIN, *_ENCODINGS], enable_fallback=False)
    chaos = {match.encoding: match.chaos for match in found}
    if not chaos:
        return _PLAIN
    close = [encoding for encoding in chaos if chaos[encoding] <= min(chaos.values()) + _CLOSE]
    if _PLAIN in close and _is_latin(text.decode(_PLAIN)):
        return _PLAIN
    sensible = [e for e in _ENCODINGS if e in close and not _HALF_WIDTH.search(_decoded(text, e) or "\uff61")]
    return next(iter(sensible), found.best().encoding)


def _is_latin(text: str) -> bool:
    """Whether accents stand in words as European languages have them: few in a word, capitals at its beginning."""
    words = [word for word in _WORD.findall(text) if not word.isascii()]
    accents = sum(not letter.isascii() for word in words for letter in word)
    capitals = any(word[1:] != word[1:].lower() and word != word.upper() for word in words)
    symbols = any(not (c.isascii() or c.isalpha()) for c in text)
    return bool(words) and not capitals and not symbols and 2 * accents <= sum(map(len, words))
