"""Images that are listed by their paths: several files, the rows of a table, the lines of an image list."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import ImageError, SourceError
from .encoded import EncodedSource
from .folder import read_file
from .listing import distinct, label_of, printable, tidy, why_not_an_image

#: Rows of a table, lines of an image list, files of a set.
MAX_LISTED = 2_000_000
NO_LABEL = ("", "-1")
OUTSIDE = "outside the root"


@dataclass(frozen=True, slots=True)
class Entry:
    """One listed image.

    Attributes:
        path: as written in the list.
        label: class, '' for none; None: the class folder of ``name`` decides.
        name: how the set calls it; '' for its path below the root.
        group: of images that belong together; '' for none.
    """

    path: str
    label: str | None = None
    name: str = ""
    group: str = ""


class Root:
    """The folder that listed paths start at and may not leave, links resolved."""

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = os.path.realpath(os.path.expanduser(path))
        self._prefix = self.path.rstrip(os.sep) + os.sep
        self._folders: dict[str, str] = {}
        self._endings: dict[str, dict[str, list[str]]] = {}

    def resolve(self, given: str) -> str | None:
        """The real path of a listed one; None where it is outside the root."""
        folder, name = os.path.split(os.path.join(self.path, given))
        if name in ("", ".", ".."):
            return self.check(os.path.join(folder, name))
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        path = os.path.join(self._folders[folder], name)
        return self.check(path) if os.path.islink(path) else self._inside(path)

    def check(self, path: str) -> str | None:
        """The real path behind any path, asked anew; None where it is outside the root."""
        return self._inside(os.path.realpath(path))

    def with_ending(self, path: str) -> tuple[str | None, str]:
        """The only image in its folder that has this name and an ending, or None and why there is none."""
        folder, name = os.path.split(path)
        if folder not in self._endings:
            self._endings[folder] = _images_by_stem(folder)
        found = self._endings[folder].get(name, [])
        if len(found) == 1:
            return self.resolve(os.path.join(folder, found[0])), OUTSIDE
        return None, f"{len(found)} images of that name" if found else why_not_an_image(path) or ""

    def _inside(self, real: str) -> str | None:
        return real if real.startswith(self._prefix) else None


def _images_by_stem(folder: str) -> dict[str, list[str]]:
    """Name without ending -> the images in a folder that have it."""
    found: dict[str, list[str]] = {}
    if os.path.isdir(folder):
        for name in sorted(os.listdir(folder)):
            if why_not_an_image(name) is None:
                found.setdefault(os.path.splitext(name)[0], []).append(name)
    return found


class ListedSource(EncodedSource):
    """Listed files, sorted by name; those that leave the root, are missing or no images go to ``skipped``.

    Args:
        location: of the list, for messages.
        kind: files, table or imglist.
        entries: read once.
        root: what relative paths start at, and what no path may leave; None: paths are taken as they are.
        said: remarks, complete once the entries are read.

    Raises:
        SourceError: more than 2,000,000 entries.
    """

    def __init__(
        self, location: str, kind: str, entries: Iterable[Entry], root: Root | None, said: Iterable[str] = ()
    ) -> None:
        super().__init__(location)
        self.kind = kind
        self._root = root
        found: list[tuple[str, str, str, str]] = []
        for count, entry in enumerate(entries, start=1):
            if count > MAX_LISTED:
                raise SourceError(f"{self.location} lists more than {MAX_LISTED:,} images. Split it.")
            name = _name(entry, root)
            path, reason = _locate(entry.path, root)
            if path is None:
                self.skipped.append((name, reason))
            else:
                label = label_of(name) if entry.label is None else entry.label
                found.append((name, path, label, printable(entry.group)))
        found.sort(key=lambda item: item[0])
        self.names = distinct(name for name, *_ in found)
        self._paths = [path for _, path, _, _ in found]
        self._labels = [label for _, _, label, _ in found]
        self.groups = [group for *_, group in found]
        self.skipped.sort()
        self.remarks += said

    def labels(self) -> list[str]:
        return self._labels

    def encoded(self, index: int) -> tuple[bytes, str]:
        path, name = self._paths[index], self.names[index]
        if self._root is not None and self._root.check(path) != path:  # a link since it was listed
            raise ImageError(f"{name}: {OUTSIDE}.")
        return read_file(Path(path), name), self._labels[index]


def open_files(
    files: list[str],
    labels: list[str] | None = None,
    names: list[str] | None = None,
    groups: list[str] | None = None,
) -> ListedSource:
    """Several image files as one set.

    Args:
        files: their paths.
        labels: one per file; '' or -1 for none. Without, the parent directory in the name is the label.
        names: one per file, such as 'cats/1.png'; without, the path below the folder that all files share.
        groups: one per file, of images that belong together; '' or -1 for none.

    Raises:
        SourceError: no files, or lists of different lengths.
    """
    for key, given in (("labels", labels), ("names", names), ("groups", groups)):
        if given is not None and len(given) != len(files):
            raise SourceError(f"{{'files': ...}}: {len(files):,} files but {len(given):,} {key}; give one per file.")
    return ListedSource(f"a set of {len(files):,} files", "files", _file_entries(files, labels, names, groups), None)


def label_text(label: object) -> str:
    """A label as text; '' for what means none."""
    text = str(label).strip()
    return "" if label is None or text in NO_LABEL else text


def class_name(label: object, names: Sequence) -> str:
    """The name of a class that is given by its number; any other label as text."""
    numbered = isinstance(label, int | np.integer) and 0 <= label < len(names)
    return str(names[label]) if numbered else label_text(label)


def _file_entries(
    files: list[str], labels: list[str] | None, names: list[str] | None, groups: list[str] | None
) -> Iterator[Entry]:
    if names is None:
        paths = [os.path.abspath(os.path.expanduser(str(file))) for file in files]
        shared = os.path.commonpath([os.path.dirname(path) for path in paths]) if paths else ""
        names = [Path(path).relative_to(shared).as_posix() for path in paths]
    for i, (file, name) in enumerate(zip(files, names, strict=True)):
        label, group = None if labels is None else label_text(labels[i]), label_text(groups[i] if groups else None)
        yield Entry(os.path.expanduser(str(file)), label, name, group)


def _name(entry: Entry, root: Root | None) -> str:
    name = entry.name or entry.path
    if root is not None and os.path.isabs(name):
        below = os.path.relpath(name, root.path)
        name = name if below.startswith("..") else below
    return printable(tidy(name))


def _locate(given: str, root: Root | None) -> tuple[str | None, str]:
    """(path, '') of a usable file, else (None, reason)."""
    if "://" in given:
        return None, "a web address, not fetched"
    try:
        path = given if root is None else _below(given, root)
        if path is None and why_not_an_image(given.replace("\\", "/")) is None:
            return None, OUTSIDE
        if path is not None and root is not None and why_not_an_image(path) is not None:
            path, reason = root.with_ending(path)
            if path is None:
                return None, reason
        reason = why_not_an_image(path or given.replace("\\", "/"))
        if path is None or reason is not None:
            return None, reason or OUTSIDE
        return (path, "") if stat.S_ISREG(os.stat(path).st_mode) else (None, "not a regular file")
    except (OSError, ValueError):  # what can be no path
        return None, "no such file"


def _below(given: str, root: Root) -> str | None:
    """A listed path below the root; of Windows' backslashes only where the text is no file by itself."""
    path = root.resolve(given)
    if "\\" in given and not (path and os.path.exists(path)):
        return root.resolve(given.replace("\\", "/"))
    return path
