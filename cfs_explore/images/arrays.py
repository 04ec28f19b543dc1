"""Images in a NumPy file: an array (N, H, W) or (N, H, W, 1 | 3 | 4). Pickled content is refused."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import SourceError
from .decode import MAX_PIXELS, on_white
from .listed import label_text
from .listing import printable
from .npz import read_npz
from .record import Record, Source

_CHUNK = 256
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
#: What NumPy and zipfile raise on damaged files; NumPy parses headers with Python's own tokenizer.
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
    SyntaxError,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    MemoryError,
)


class ArraySource(Source):
    """The images of a .npy (read in place) or a .npz (unpacked into a nameless temporary file).

    uint8 as it is; floats in [0, 1] become 255 x, floats in [-1, 1] become 127.5 (x + 1), both rounded. Alpha
    is laid on white. A .npz holds the images under its only key, or ``images``, ``x`` or ``data``, and
    optionally labels (N,) under ``labels`` or ``y``.

    Args:
        path: of the file.
        declared: (low, high) of the values, which become 0 and 255; any real numbers may then be stored.
        key: of the images in a .npz.

    Raises:
        SourceError: damaged, pickled, another shape, type or value range, or no known key.
    """

    kind = "array"

    def __init__(self, path: Path, declared: tuple[float, float] | None = None, key: str | None = None) -> None:
        super().__init__(str(path))
        self._spool: BinaryIO | None = None
        try:
            if path.suffix.lower() == ".npz":
                key, images, labels, self._spool = read_npz(path, key, self.location)
            else:
                images, labels = np.load(path, mmap_mode="r", allow_pickle=False), None
                if not isinstance(images, np.ndarray):
                    raise ValueError("it is an archive; call it .npz")
        except _UNREADABLE as error:
            raise SourceError(
                f"{self.location} cannot be read as plain arrays ({printable(str(error))}). Pickled objects are never "
                "loaded; save a uint8 array with numpy.save or numpy.savez."
            ) from error
        try:
            _check_layout(images, self.location)
            self._images = images[..., None] if images.ndim == 3 else images
            self._shift = _value_range(images, declared, self.location)
            self._labels = _label_texts(labels, len(images), self.location)
        except SourceError:
            self.close()
            raise
        pad = max(6, len(str(len(images))))
        prefix = f"{printable(key)}/" if key else ""
        self.names = [f"{prefix}{i:0{pad}d}" for i in range(len(images))]

    def _read(self, index: int) -> Record:
        pixels = np.array(self._images[index])  # a copy: the record must not hold the file open
        if self._shift is not None:
            low, scale = self._shift
            pixels = np.rint((pixels.astype(np.float64) - low) * scale).astype(np.uint8)
        mode = _MODES[pixels.shape[-1]]
        pixels = on_white(pixels) if mode == "RGBA" else pixels
        return Record.of(pixels, name=self.names[index], label=self._labels[index], format="array", mode=mode)

    def close(self) -> None:
        self._images = np.empty((0, 1, 1, 1), np.uint8)
        if self._spool is not None:
            self._spool.close()


def _check_layout(images: np.ndarray, location: str) -> None:
    shape = images.shape
    usable = images.ndim == 3 or (images.ndim == 4 and shape[-1] in _MODES)
    if not usable or 0 in shape[1:] or (images.ndim == 3 and shape[-1] in (1, 3, 4)):
        hint = ""
        if images.ndim == 4 and shape[1] in _MODES:
            hint = " The channels seem to come first: use array.transpose(0, 2, 3, 1)."
        elif images.ndim == 2 or (images.ndim == 3 and shape[-1] in _MODES):
            hint = " For a single image, use array[None]."
        raise SourceError(
            f"{location}: the array's shape is {shape}; allowed are (N, H, W) and (N, H, W, C) with "
            f"C = 1, 3 or 4.{hint}"
        )
    if shape[1] * shape[2] > MAX_PIXELS:
        raise SourceError(
            f"{location}: images of {shape[2]} x {shape[1]} pixels are more than the allowed "
            f"{MAX_PIXELS // 10**6} megapixels."
        )


def _value_range(images: np.ndarray, declared: tuple[float, float] | None, location: str) -> tuple[float, float] | None:
    """(low, scale) with which (x - low) * scale is 0..255; None where the values are that already."""
    if images.dtype == np.uint8 and declared is None:
        return None
    advice = (
        "Save as uint8 from 0 to 255, or as float in [0, 1] or [-1, 1], or declare the range with "
        "{'path': ..., 'range': [low, high]}."
    )
    if images.dtype.kind not in ("f" if declared is None else "fiu"):
        raise SourceError(f"{location}: the array's type is {printable(str(images.dtype))}. {advice}")
    least, most = (-1.0, 1.0) if declared is None else declared
    low, high = _extremes(images)
    if len(images) and not (low >= least and high <= most):
        told = "" if declared is None else f" The range declared is {least:g} to {most:g}."
        raise SourceError(f"{location}: the values run from {low:g} to {high:g}.{told} {advice}")
    if declared is None and low >= 0:
        least = 0.0
    return least, 255.0 / (most - least)


def _extremes(images: np.ndarray) -> tuple[float, float]:
    """Least and largest value; NaN where there is one."""
    low, high = np.inf, -np.inf
    for start in range(0, len(images), _CHUNK):
        chunk = images[start : start + _CHUNK]
        low, high = np.minimum(low, chunk.min()), np.maximum(high, chunk.max())
    return float(low), float(high)


def _label_texts(labels: np.ndarray | None, n_images: int, location: str) -> list[str]:
    if labels is None:
        return [""] * n_images
    if labels.shape != (n_images,) or labels.dtype.kind not in "biuU":
        raise SourceError(
            f"{location}: the labels' shape is {labels.shape} and their type {printable(str(labels.dtype))}; allowed "
            f"are integers or text of shape ({n_images},)."
        )
    return [label_text(label) for label in labels.tolist()]
