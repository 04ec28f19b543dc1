"""Images in a folder (with its subfolders), or one image file."""

from __future__ import annotations

import os
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
        for directory, subdirectories, files in os.walk(path, onerror=self._note_unreadable):
            subdirectories[:] = [name for name in subdirectories if self._is_entered(Path(directory, name))]
            for file in files:
                self._list(Path(directory, file))
        self._paths.sort()
        self.names = distinct(map(printable, self._paths))
        self.skipped.sort()

    def _is_entered(self, path: Path) -> bool:
        name = path.relative_to(self._root).as_posix()
        if path.is_symlink() and not is_hidden(name):
            self.skipped.append((printable(name), "linked folder, not entered"))
        return not (path.is_symlink() or is_hidden(name))

    def _list(self, path: Path) -> None:
        name = path.relative_to(self._root).as_posix()
        if is_hidden(name):
            return
        reason = why_not_an_image(name) or (None if path.is_file() else "not a regular file")
        if reason is None:
            self._paths.append(name)
        else:
            self.skipped.append((printable(name), reason))

    def _note_unreadable(self, error: OSError) -> None:
        name = os.path.relpath(error.filename, self._root)
        self.skipped.append((printable(name), f"unreadable folder ({error.strerror})"))

    def encoded(self, index: int) -> tuple[bytes, str]:
        path = self._paths[index]
        return read_file(self._root / path, self.names[index]), label_of(path)


class FileSource(EncodedSource):
    """A set of one image file; no label."""

    kind = "file"

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path
        self.names = [printable(path.name)]

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
