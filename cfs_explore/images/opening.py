"""`open_source`: one function for every kind of image set."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from ..errors import SourceError
from .archive import ZipSource
from .arrays import ArraySource
from .builtin import open_builtin
from .folder import FileSource, FolderSource
from .listing import IMAGE_EXTENSIONS, summarise
from .record import Record, Source
from .tables import ParquetSource

_BY_EXTENSION: dict[str, Callable[[Path], Source]] = {
    ".zip": ZipSource,
    ".parquet": ParquetSource,
    ".npz": ArraySource,
    ".npy": ArraySource,
}
ACCEPTED = (
    "a folder of images, a .zip of images, a .parquet with image bytes, a .npz or .npy array, an image file "
    f"({' '.join(sorted(IMAGE_EXTENSIONS))}), or {{'builtin': name}}"
)


def open_source(path_or_spec: str | os.PathLike | Mapping, *, limit: int | None = None, seed: int = 0) -> Source:
    """Open an image set; the kind is told by the file's extension.

    Args:
        path_or_spec: a path, or {'builtin': name, **parameters} (see ``BUILTIN_SETS``).
        limit: keep only that many images, drawn without replacement, in the source's order; None keeps all.
        seed: of that draw, >= 0.

    Returns:
        A source with at least one image.

    Raises:
        SourceError: missing, of an unknown kind, damaged or without images.
    """
    if limit is not None and not (_is_whole(limit) and limit >= 1):
        raise SourceError(f"limit = {limit!r}: allowed is a whole number from 1 on, or None for all images.")
    if not (_is_whole(seed) and seed >= 0):
        raise SourceError(f"seed = {seed!r}: allowed is a whole number from 0 on.")
    if isinstance(path_or_spec, Mapping):
        source: Source = open_builtin(path_or_spec)
    else:
        source = _open_path(path_or_spec)
    if not len(source):
        source.close()
        raise SourceError(f"no images in {source.location}: {summarise(source.skipped)}. Accepted: {ACCEPTED}.")
    return source if limit is None or limit >= len(source) else SampledSource(source, int(limit), seed)


def _is_whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _open_path(given: str | os.PathLike) -> Source:
    if not os.fspath(given):
        raise SourceError(f"no path given. Accepted: {ACCEPTED}.")
    path = Path(given).expanduser()
    if not os.path.exists(path):
        raise SourceError(f"{path} does not exist. Accepted: {ACCEPTED}.")
    if path.is_dir():
        return FolderSource(path)
    suffix = path.suffix.lower()
    if suffix in IMAGE_EXTENSIONS:
        return FileSource(path)
    if suffix not in _BY_EXTENSION:
        raise SourceError(f"{path} is of an unknown kind ({suffix or 'no extension'}). Accepted: {ACCEPTED}.")
    return _BY_EXTENSION[suffix](path)


class SampledSource(Source):
    """A seeded subsample of another source, in that source's order."""

    def __init__(self, source: Source, limit: int, seed: int) -> None:
        super().__init__(source.location)
        self.kind = source.kind
        self._source = source
        draw = np.random.Generator(np.random.PCG64(seed)).choice(len(source), size=limit, replace=False)
        self._indices = np.sort(draw).tolist()
        self.names = [source.names[i] for i in self._indices]
        self.skipped = source.skipped

    def _read(self, index: int) -> Record:
        return self._source.read(self._indices[index])

    def close(self) -> None:
        self._source.close()
