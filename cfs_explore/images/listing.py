"""Which members of a folder or an archive are images, judged by name; and how to say that none is."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePosixPath

_JPEG = {".jpg", ".jpeg", ".jpe", ".jfif"}
_PNM = {".ppm", ".pgm", ".pbm", ".pnm"}
IMAGE_EXTENSIONS = frozenset({".png", ".apng", ".webp", ".gif", ".bmp", ".tif", ".tiff", *_JPEG, *_PNM})
_ARCHIVE_EXTENSIONS = frozenset((".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar"))
_CLUTTER = frozenset({"__macosx", "thumbs.db", "desktop.ini"})


def is_hidden(name: str) -> bool:
    """Whether a file manager left this behind: dotfiles, __MACOSX, Thumbs.db."""
    return any(part.startswith(".") or part.lower() in _CLUTTER for part in PurePosixPath(name).parts)


def why_not_an_image(name: str) -> str | None:
    """The reason why a name cannot be an image's, or None."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in IMAGE_EXTENSIONS:
        return None
    if suffix in _ARCHIVE_EXTENSIONS:
        return f"archive inside ({suffix}), not opened"
    return f"not an image extension ({suffix or 'none'})"


def label_of(name: str) -> str:
    """The class of a member: its parent directory's name, '' at the top level."""
    return PurePosixPath(name).parent.name


def summarise(skipped: list[tuple[str, str]]) -> str:
    """'found 3 files, of which 2: not an image extension (.txt); 1: encrypted', or 'found no files'."""
    if not skipped:
        return "found no files"
    counts = Counter(reason for _, reason in skipped).most_common(5)
    return f"found {len(skipped)} files, of which " + "; ".join(f"{n}: {reason}" for reason, n in counts)
