"""Images in a NumPy file: an array (N, H, W) or (N, H, W, 1 | 3 | 4), or as its layout says. No pickles."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import SourceError
from .array_labels import label_texts
from .decode import on_white
from .layouts import as_images
from .listing import numbered, printable
from .npz import UNREADABLE, read_npz
from .record import Record, Source
from .value_range import value_range

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


class ArraySource(Source):
    """The images of a .npy (read in place) or a .npz (unpacked into a nameless temporary file).

    uint8 as it is; floats in [0, 1] become 255 x, floats in [-1, 1] become 127.5 (x + 1), both rounded; which of the
    two, the bulk of the values says (``value_range``). Alpha is laid on white. A .npz holds the images under its only
    key that is no labels', or a usual name, and optionally labels beside it (``npz``).

    Args:
        path: of the file.
        declared: (low, high) of the values, which become 0 and 255; any real numbers may then be stored.
        key: of the images in a .npz.
        layout: of the axes, one of ``LAYOUTS``; None where the shape shows it.

    Raises:
        SourceError: damaged, pickled, another shape, type or value range, or no known key.
    """

    kind = "array"

    def __init__(
        self,
        path: Path,
        declared: tuple[float, float] | None = None,
        key: str | None = None,
        layout: str | None = None,
    ) -> None:
        super().__init__(str(path))
        self._spool: BinaryIO | None = None
        labels, said = None, ""
        try:
            if path.suffix.lower() == ".npz":
                key, images, labels, said, self._spool = read_npz(path, key, self.location)
            else:
                images = np.load(path, mmap_mode="r", allow_pickle=False)
                if not isinstance(images, np.ndarray):
                    raise ValueError("it is an archive; call it .npz")
        except UNREADABLE as error:
            raise SourceError(
                f"{self.location} cannot be read as plain arrays ({printable(str(error))}). Pickled objects are never "
                "loaded; save a uint8 array with numpy.save or numpy.savez."
            ) from error
        try:
            self._images, axes = as_images(images, layout, self.location)
            self._range = value_range(self._images, declared, self.location)
        except SourceError:
            self.close()
            raise
        self._labels, left = label_texts(labels, len(self._images))
        self.remarks += filter(None, (axes, self._range and self._range.remark, said, left))
        prefix = f"{printable(key)}/" if key else ""
        self.names = [f"{prefix}{number}" for number in numbered(len(self._images))]

    def labels(self) -> list[str]:
        return self._labels

    def _read(self, index: int) -> Record:
        pixels = np.array(self._images[index])  # a copy: the record must not hold the file open
        if self._range is not None:
            pixels = self._range.to_bytes(pixels)
        mode = _MODES[pixels.shape[-1]]
        pixels = on_white(pixels) if mode == "RGBA" else pixels
        return Record.of(pixels, name=self.names[index], label=self._labels[index], format="array", mode=mode)

    def close(self) -> None:
        self._images = np.empty((0, 1, 1, 1), np.uint8)
        if self._spool is not None:
            self._spool.close()
