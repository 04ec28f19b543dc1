"""One image of a set (`Record`) and the interface of every image set (`Source`)."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..contracts import pixel_id
from ..errors import ImageError
from ..wording import counted
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
        group: of images that belong together, such as those of one person; '' where it is alone (theory 28).
        remarks: what its set's notes should say, with {n} for a number, and this image's share of that number.
    """

    name: str
    label: str
    pixels: np.ndarray
    format: str
    mode: str
    width: int
    height: int
    group: str = ""
    remarks: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, pixels: np.ndarray, *, name: str, label: str, format: str, mode: str, group: str = "") -> Record:
        """A record around ``pixels`` (H, W, C), which become contiguous and read-only; texts are made printable."""
        name, label, group = printable(name), printable(label), printable(group)
        pixels = np.ascontiguousarray(pixels)
        pixels.setflags(write=False)
        height, width = pixels.shape[:2]
        return cls(name, label, pixels, format, mode, width, height, group)

    @cached_property
    def image_id(self) -> str:
        """16 hex characters from shape and pixels alone: the same wherever an image is kept."""
        return pixel_id(self.pixels)

    @property
    def content_id(self) -> str:
        """As ``image_id``, but of one channel where three are equal: the same for a grey picture stored as RGB."""
        grey = self.pixels[:, :, :1]
        return pixel_id(grey) if self.pixels.shape[2] == 3 and (self.pixels == grey).all() else self.image_id


class Source(ABC):
    """A set of images with random access; a context manager.

    Attributes:
        kind: folder, file, zip, tar, files, table, parquet, imglist, array, hub, torchvision or builtin.
        location: the path or set name, for messages.
        names: one printable name per image, sorted; rows of arrays and tables of bytes keep their order, since their
            names begin with the zero-padded row number.
        skipped: (name, reason) of the members that were seen to be unusable when the source was listed.
        remarks: how the set was read where that had to be decided, a sentence each.
    """

    kind: str

    def __init__(self, location: str) -> None:
        self.location = printable(location)
        self.names: list[str] = []
        self.skipped: list[tuple[str, str]] = []
        self.remarks: list[str] = []
        self._remarked: dict[str, dict[int, int]] = {}

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
        record = self._read(index)
        for remark, count in record.remarks:
            self._remarked.setdefault(remark, {})[index] = count
        return record

    def readable(self, order: Iterable[int] | None = None) -> Iterator[Record]:
        """The images that can be read, one at a time, in this order; the others are passed over."""
        for index in range(len(self)) if order is None else order:
            with contextlib.suppress(ImageError):
                yield self.read(index)

    def notes(self) -> list[str]:
        """What a user should know of how the set is read, of the images that have been read so far."""
        seen = [(remark, sum(counts.values())) for remark, counts in self._remarked.items()]
        return [
            *self.remarks,
            *(remark.format(images=counted(n, "image"), pages=counted(n, "page")) for remark, n in sorted(seen)),
        ]

    def labels(self) -> list[str]:
        """The class of each image, '' for none, as ``read`` gives it; where it is known, without decoding."""
        found = []
        for index in range(len(self)):
            try:
                found.append(self._read(index).label)
            except ImageError:
                found.append("")
        return found

    @abstractmethod
    def _read(self, index: int) -> Record:
        """The image at a valid ``index``; called by ``read``."""

    def close(self) -> None:  # noqa: B027 - most sources hold nothing open
        """Release the file that the source holds open, if any."""


class WrappedSource(Source):
    """A set of another one's images, with its kind, unusable members and notes; it closes that one, too."""

    def __init__(self, source: Source, location: str = "") -> None:
        super().__init__(location or source.location)
        self.kind, self.skipped = source.kind, source.skipped
        self._source = source

    def notes(self) -> list[str]:
        return self._source.notes()

    def labels(self) -> list[str]:
        return self._source.labels()

    def close(self) -> None:
        self._source.close()
