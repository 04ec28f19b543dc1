"""A whole source -> the rows of images that a run starts from, and the array of network inputs."""

from __future__ import annotations

import errno
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..colour import colour_of
from ..errors import ImageError, RunCancelled, SourceError
from .preprocess import check_input_shape, png, shrunk, to_input
from .record import Record, Source

COLUMNS = (
    *("image_id", "content_id", "name", "label", "group"),
    *("format", "mode", "colour", "width", "height", "thumbnail"),
)
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def prepare(
    source: Source,
    image_shape: tuple[int, int, int],
    policy: str,
    out_npy: Path | None,
    keep: Callable[[int, tuple], None],
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    *,
    filter: str = "bicubic",
    thumbnails: bool = True,
) -> list[tuple[str, str]]:
    """Read every image once: its row goes to ``keep``, its pixels, fitted to the backbone, to one .npy file.

    Args:
        source: the images; read in order, one in memory at a time.
        image_shape: the backbone's (C, H, W).
        policy: a key of ``RESIZE_POLICIES``.
        out_npy: where the uint8 array (n_good, C, H, W) goes; written aside as ``.partial``, then renamed. None: the
            pixels are not kept.
        keep: called with each good image's place in the source and its row of ``COLUMNS``, in the array's order;
            thumbnail is PNG bytes, or empty; group is None where an image is alone.
        progress: called with (done, total) after each image, good or not.
        cancelled: asked before each image.
        filter: a key of ``FILTERS``.
        thumbnails: make them.

    Returns:
        (name, reason) of the source's unusable members and of the images that could not be read.

    Raises:
        SourceError: no image is left, or the disk is full. No file is left behind.
        RunCancelled: ``cancelled`` said so. No file is left behind.
        SpecError, BackboneError: see ``to_input``.
    """
    check_input_shape(image_shape, policy, filter)
    thumbnail = png if thumbnails else lambda pixels: b""

    def row(index: int, record: Record) -> None:
        small = shrunk(record.pixels)
        facts = (record.image_id, record.content_id, record.name, record.label, record.group or None)
        kind = (record.format, record.mode, colour_of(small), record.width, record.height)
        keep(index, (*facts, *kind, thumbnail(small)))

    if out_npy is None:
        return [*source.skipped, *_read_all(source, row, progress, cancelled)[1]]
    out_npy = Path(out_npy)
    partial = out_npy.with_name(out_npy.name + ".partial")
    fit = functools.partial(to_input, image_shape=image_shape, policy=policy, filter=filter)
    try:
        with open(partial, "wb") as file:
            skipped = _write_inputs(file, source, image_shape, fit, row, progress, cancelled)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, out_npy)
    except OSError as error:  # sources turn their own into ImageError: this one is about writing
        if error.errno not in _DISK_FULL:
            raise
        raise SourceError(f"disk full while writing to {out_npy.parent}: free some space there.") from error
    finally:
        partial.unlink(missing_ok=True)
    return [*source.skipped, *skipped]


def _write_inputs(
    file: BinaryIO,
    source: Source,
    image_shape: tuple[int, int, int],
    fit: Callable[[np.ndarray], np.ndarray],
    row: Callable[[int, Record], None],
    progress: Callable[[int, int], None] | None,
    cancelled: Callable[[], bool] | None,
) -> list[tuple[str, str]]:
    """Stream the inputs into ``file``; not a memory map, where a full disk would kill the process."""
    _write_header(file, (len(source), *image_shape))
    data_start = file.tell()

    def write(index: int, record: Record) -> None:
        _write_input(file, fit(record.pixels))
        row(index, record)

    good, skipped = _read_all(source, write, progress, cancelled)
    file.seek(0)  # NumPy pads headers, so that the count can change in place
    _write_header(file, (good, *image_shape))
    if file.tell() != data_start:
        raise RuntimeError(f"NumPy's header changed its length from {data_start} to {file.tell()} bytes.")
    return skipped


def _read_all(
    source: Source,
    take: Callable[[int, Record], None],
    progress: Callable[[int, int], None] | None,
    cancelled: Callable[[], bool] | None,
) -> tuple[int, list[tuple[str, str]]]:
    """Give every image that can be read to ``take``, with its place; how many there are, and why others cannot."""
    total, skipped = len(source), []
    for index in range(total):
        if cancelled is not None and cancelled():
            raise RunCancelled(f"stopped after {index} of {total} images of {source.location}.")
        try:
            record = source.read(index)
        except ImageError as error:
            name = source.names[index]
            skipped.append((name, str(error).removeprefix(f"{name}: ")))
        else:
            take(index, record)
        if progress is not None:
            progress(index + 1, total)
    if len(skipped) == total:
        first = ": ".join(skipped[0])
        raise SourceError(f"{source.location}: no image of {total:,} can be read; the first: {first}")
    return total - len(skipped), skipped


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    header = {"descr": np.dtype(np.uint8).str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def _write_input(file: BinaryIO, array: np.ndarray) -> None:
    file.write(array.tobytes())
