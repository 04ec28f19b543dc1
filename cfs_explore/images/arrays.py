"""Images in a NumPy file: an array (N, H, W) or (N, H, W, 1 | 3 | 4). Pickled content is refused."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np

from ..errors import SourceError
from .decode import on_white
from .record import Record, Source

IMAGE_KEYS = ("images", "x", "data")
LABEL_KEYS = ("labels", "y")
MAX_NPZ_BYTES = 4 * 2**30
_CHUNK = 256
_HEADER_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
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
    NotImplementedError,
    RuntimeError,
)


class ArraySource(Source):
    """The images of a .npy (read in place) or a .npz (held in memory, at most 4 GiB).

    uint8 as it is; floats in [0, 1] become 255 x, floats in [-1, 1] become 127.5 (x + 1), both rounded. Alpha
    is laid on white. A .npz holds the images under its only key, or ``images``, ``x`` or ``data``, and
    optionally labels (N,) under ``labels`` or ``y``.

    Raises:
        SourceError: damaged, pickled, another shape, type or value range, or no known key.
    """

    kind = "array"

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        try:
            loaded = np.load(path, mmap_mode="r", allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                key, images, labels = "", loaded, None
            else:
                with loaded:
                    key, images, labels = _from_npz(loaded, self.location)
        except _UNREADABLE as error:
            raise SourceError(
                f"{path} cannot be read as plain arrays ({error}). Pickled objects are never loaded; "
                "save a uint8 array with numpy.save or numpy.savez."
            ) from error
        _check_layout(images, self.location)
        self._images = images[..., None] if images.ndim == 3 else images
        self._shift = _value_range(images, self.location)
        self._labels = _label_texts(labels, len(images), self.location)
        pad = max(6, len(str(len(images))))
        prefix = f"{key}/" if key else ""
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


def _from_npz(archive: np.lib.npyio.NpzFile, location: str) -> tuple[str, np.ndarray, np.ndarray | None]:
    """(key, images, labels) of a .npz."""
    labels_key = next((key for key in LABEL_KEYS if key in archive.files), None)
    candidates = [key for key in archive.files if key != labels_key]
    named = [key for key in IMAGE_KEYS if key in candidates]
    if len(candidates) == 1:
        key = candidates[0]
    elif named:
        key = named[0]
    else:
        raise SourceError(
            f"{location}: which array holds the images? Its keys are {', '.join(archive.files) or 'none'}; "
            f"name one of them {' or '.join(IMAGE_KEYS)}, or keep only one."
        )
    labels = None if labels_key is None else _load_member(archive, labels_key, location)
    return key, _load_member(archive, key, location), labels


def _load_member(archive: np.lib.npyio.NpzFile, key: str, location: str) -> np.ndarray:
    """One array of a .npz, once its header has been seen to fit its size."""
    member = key if key in archive.zip.namelist() else f"{key}.npy"
    with archive.zip.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        shape, _, dtype = _HEADER_READERS[version](stream)
    if dtype.hasobject:
        raise ValueError(f"the array {key!r} holds Python objects")
    n_bytes = dtype.itemsize * int(np.prod(shape, dtype=object))
    if n_bytes > MAX_NPZ_BYTES:
        raise SourceError(
            f"{location}: the array {key!r} takes {n_bytes / 2**30:.1f} GiB of memory; allowed are "
            f"{MAX_NPZ_BYTES // 2**30}. Save it with numpy.save as .npy, which is read in place."
        )
    if n_bytes > archive.zip.getinfo(member).file_size:
        raise ValueError(f"the array {key!r} is truncated")
    return archive[key]


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


def _value_range(images: np.ndarray, location: str) -> tuple[float, float] | None:
    """None for uint8; for floats the (low, scale) with which (x - low) * scale is 0..255."""
    if images.dtype == np.uint8:
        return None
    advice = "Save as uint8 from 0 to 255, or as float in [0, 1] or [-1, 1]."
    if images.dtype.kind != "f":
        raise SourceError(f"{location}: the array's type is {images.dtype}. {advice}")
    low, high = np.inf, -np.inf
    for start in range(0, len(images), _CHUNK):
        chunk = images[start : start + _CHUNK]
        low, high = np.minimum(low, chunk.min()), np.maximum(high, chunk.max())  # NaN stays NaN
    if len(images) and not (low >= -1 and high <= 1):
        raise SourceError(f"{location}: the float values run from {low:g} to {high:g}. {advice}")
    return (-1.0, 127.5) if low < 0 else (0.0, 255.0)


def _label_texts(labels: np.ndarray | None, n_images: int, location: str) -> list[str]:
    if labels is None:
        return [""] * n_images
    if labels.shape != (n_images,) or labels.dtype.kind not in "biuU":
        raise SourceError(
            f"{location}: the labels' shape is {labels.shape} and their type {labels.dtype}; allowed are "
            f"integers or text of shape ({n_images},)."
        )
    return [str(label) for label in labels.tolist()]
