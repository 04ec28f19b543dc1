"""One image of a set (`Record`) and the interface of every image set (`Source`)."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from .listing import printable


@dataclass(frozen=True, eq=False)
class Record:
    """One decoded image, at its native size.

    Attributes:
        name: path inside the source.
        label: class name; '' where the source has none.
        pixels: uint8 (H, W, 1) for grey or (H, W, 3) for RGB; read-only.
        format: native codec (PNG, JPEG, ...), 'array' for npy and npz, 'drawn' for the built-in sets.
        mode: native Pillow mode (L, RGBA, ...), before conversion.
        width, height: native size in pixels, after EXIF rotation and before any resize.
    """

    name: str
    label: str
    pixels: np.ndarray
    format: str
    mode: str
    width: int
    height: int

    @classmethod
    def of(cls, pixels: np.ndarray, *, name: str, label: str, format: str, mode: str) -> Record:
        """A record around ``pixels`` (H, W, C), which become contiguous and read-only; texts are made printable."""
        name, label = printable(name), printable(label)
        pixels = np.ascontiguousarray(pixels)
        pixels.setflags(write=False)
        height, width = pixels.shape[:2]
        return cls(name, label, pixels, format, mode, width, height)

    @property
    def image_id(self) -> str:
        """16 hex characters from shape and pixels alone: the same wherever an image is kept."""
        digest = hashlib.blake2b(repr(self.pixels.shape).encode(), digest_size=8)
        digest.update(self.pixels.tobytes())
        return digest.hexdigest()


class Source(ABC):
    """A set of images with random access; a context manager.

    Attributes:
        kind: folder, file, zip, tar, files, table, parquet, imglist, array, hub, torchvision or builtin.
        location: the path or set name, for messages.
        names: one printable name per image, sorted; rows of arrays and tables of bytes keep their order, since their
            names begin with the zero-padded row number.
        skipped: (name, reason) of the members that were seen to be unusable when the source was listed.
    """

    kind: str

    def __init__(self, location: str) -> None:
        self.location = printable(location)
        self.names: list[str] = []
        self.skipped: list[tuple[str, str]] = []

    def __len__(self) -> int:
        return len(self.names)

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def read(self, index: int) -> Record:
        """The image at ``index`` (0 <= index < len).

        Raises:
            ImageError: the image is corrupt, truncated, too large or not an image; the message names it.
            IndexError: there is no such image.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"image {index} of {self.location}: allowed are 0 to {len(self) - 1}.")
        return self._read(index)

    @abstractmethod
    def _read(self, index: int) -> Record:
        """The image at a valid ``index``; called by ``read``."""

    def close(self) -> None:  # noqa: B027 - most sources hold nothing open
        """Release the file that the source holds open, if any."""
