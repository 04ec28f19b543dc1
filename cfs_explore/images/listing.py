"""Which members of a folder or an archive are images, judged by name; names made harmless; how to say that none is."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

from ..wording import counted

_JPEG = {".jpg", ".jpeg", ".jpe", ".jfif"}
_PNM = {".ppm", ".pgm", ".pbm", ".pnm"}
IMAGE_EXTENSIONS = frozenset({".png", ".apng", ".webp", ".gif", ".bmp", ".tif", ".tiff", *_JPEG, *_PNM})
_ARCHIVE_EXTENSIONS = frozenset((".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar"))
#: What a person has who asks why these are left out.
_ADVICE = {
    **dict.fromkeys((".heic", ".heif", ".avif"), "save it as JPEG or PNG: phones can share pictures so"),
    **dict.fromkeys((".parquet", ".npz", ".npy", ".csv", ".tsv"), "name this file itself as the set"),
}
_CLUTTER = frozenset({"__macosx", "thumbs.db", "desktop.ini"})
#: Control characters, line separators, marks and overrides of direction, what is invisible, undecodable bytes.
_HARMFUL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\ud800-\udfff\U000e0000-\U000e007f]"
)
MAX_NAME = 500


def printable(name: str) -> str:
    r"""A name that logs, tables and pages show as it is: harmful characters escaped (\n, \u202e), at most 500 long.

    Markup stays: pages escape it for their own language.
    """
    if not name.isprintable():
        name = _HARMFUL.sub(lambda found: ascii(found.group())[1:-1], name)
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME // 2 - 3]}...{name[-MAX_NAME // 2 + 3 :]}"


def distinct(names: Iterable[str]) -> list[str]:
    """The names, each later one that is already taken with a number: 'a.png', 'a.png (2)'."""
    taken: set[str] = set()
    numbers: Counter[str] = Counter()
    out = []
    for name in names:
        free = name
        while free in taken:
            numbers[name] += 1
            free = f"{name} ({numbers[name] + 1})"
        taken.add(free)
        out.append(free)
    return out


def numbered(count: int) -> list[str]:
    """Names of images that have none: '000000', '000001', ..., with more digits where there are more images."""
    pad = max(6, len(str(count)))
    return [f"{i:0{pad}d}" for i in range(count)]


def tidy(name: str) -> str:
    """The name with slashes for backslashes and without a leading './'."""
    name = name.replace("\\", "/")
    while name.startswith("./"):
        name = name[2:].lstrip("/")
    return name


def is_unsafe(name: str) -> bool:
    """Absolute names, drive letters and '..' point out of an archive."""
    return name.startswith("/") or bool(re.match(r"[A-Za-z]:", name)) or ".." in name.split("/")


def is_hidden(name: str) -> bool:
    """Whether a file manager left this behind: dotfiles, __MACOSX, Thumbs.db."""
    parts = name.split("/")
    return any((part.startswith(".") and part != ".") or part.lower() in _CLUTTER for part in parts)


def why_not_an_image(name: str) -> str | None:
    """The reason why a name cannot be an image's, or None."""
    suffix = os.path.splitext(name)[1].lower()
    if suffix in IMAGE_EXTENSIONS:
        return None
    if suffix in _ARCHIVE_EXTENSIONS:
        return f"archive inside ({suffix}), not opened"
    advice = f"; {_ADVICE[suffix]}" if suffix in _ADVICE else ""
    return f"not an image extension ({suffix or 'none'}{advice})"


def label_of(name: str) -> str:
    """The class of a member: its parent directory's name, '' at the top level."""
    return PurePosixPath(name).parent.name


def summarise(skipped: list[tuple[str, str]]) -> str:
    """'found 3 files, of which 2: not an image extension (.txt); 1: encrypted', or 'found no files'."""
    if not skipped:
        return "found no files"
    counts = Counter(reason for _, reason in skipped).most_common(5)
    return f"found {counted(len(skipped), 'file')}, of which " + "; ".join(f"{n}: {reason}" for reason, n in counts)
