"""Images in a folder (with its subfolders), or one image file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ..errors import ImageError
from .decode import check_encoded_size
from .encoded import EncodedSource
from .listing import distinct, is_hidden, label_of, printable, why_not_an_image


class FolderSource(EncodedSource):
    """Every image below a folder, labelled by its parent directory. Linked folders are not entered."""

    kind = "folder"

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._root = path
        self._paths: list[str] = []
        folders = [""]  # below the root, with a slash at their ends
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(os.path.join(path, folder)) as entries:
                    folders += [f"{folder}{entry.name}/" for entry in entries if self._is_entered(folder, entry)]
            except OSError as error:
                name = printable(folder.rstrip("/") or ".")
                self.skipped.append((name, f"unreadable folder ({error.strerror})"))
        self._paths.sort()
        self.names = distinct(map(printable, self._paths))
        self.skipped.sort()

    def _is_entered(self, folder: str, entry: os.DirEntry) -> bool:
        """Whether an entry is a folder to go through; a file is listed, as an image or as skipped."""
        name = folder + entry.name
        if is_hidden(entry.name):
            return False
        if _is(entry.is_dir):
            if entry.is_symlink():
                self.skipped.append((printable(name), "linked folder, not entered"))
            return not entry.is_symlink()
        reason = why_not_an_image(entry.name) or (None if _is(entry.is_file) else "not a regular file")
        if reason is None:
            self._paths.append(name)
        else:
            self.skipped.append((printable(name), reason))
        return False

    def labels(self) -> list[str]:
        return [label_of(path) for path in self._paths]

    def encoded(self, index: int) -> tuple[bytes, str]:
        path = self._paths[index]
        return read_file(self._root / path, self.names[index]), label_of(path)


def _is(kind: Callable[[], bool]) -> bool:
    """What an entry of a folder says of itself; False where it points nowhere."""
    try:
        return kind()
    except OSError:
        return False


class FileSource(EncodedSource):
    """A set of one image file; no label."""

    kind = "file"

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path
        self.names = [printable(path.name)]

    def labels(self) -> list[str]:
        return [""]

    def encoded(self, index: int) -> tuple[bytes, str]:
        return read_file(self._path, self.names[index]), ""


def read_file(path: Path, name: str) -> bytes:
    """The bytes of an image file.

    Raises:
        ImageError: it is larger than 64 MiB, is gone, or may not be read.
    """
    try:
        check_encoded_size(path.stat().st_size, name)
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"{name}: cannot be read ({error.strerror or error}).") from error
