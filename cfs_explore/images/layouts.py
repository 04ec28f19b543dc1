"""How the axes of an array of images are read: as its shape shows, as the user says, or else by asking."""

from __future__ import annotations

import numpy as np

from ..errors import SourceError
from .decode import MAX_PIXELS

#: Letters of the axes: N images, height, width, channels. Without N, one image.
LAYOUTS = ("NHW", "NHWC", "NCHW", "HWN", "HWCN", "HW", "HWC", "CHW")
CHANNELS = (1, 3, 4)
#: Images that are longer than this are more likely another reading of the axes.
_LONG = 4


def as_images(values: np.ndarray, layout: str | None, location: str) -> tuple[np.ndarray, str]:
    """An array as (N, H, W, C), and what is to be said of how it was read, or ''.

    Args:
        values: of a file, not in memory.
        layout: one of ``LAYOUTS``; None: (N, H, W) or (N, H, W, C), where nothing else is as likely.
        location: how messages call the file.

    Raises:
        SourceError: another shape, or one that can be read in two ways.
    """
    said = ""
    if layout is None:
        layout = _only_layout(values.shape, location)
    elif layout not in ("NHW", "NHWC"):
        said = f"Read with the axes {' x '.join(layout)}, as declared."
    if len(layout) != values.ndim:
        raise SourceError(
            f"{location}: the layout {layout} has {len(layout)} axes; the array's shape is {values.shape}."
        )
    order = [layout.index(letter) for letter in "NHWC" if letter in layout]
    images = np.transpose(values, order)
    images = images if "N" in layout else images[None]
    images = images if "C" in layout else images[..., None]
    if images.shape[-1] not in CHANNELS or 0 in images.shape[1:]:
        raise SourceError(
            f"{location}: the array's shape {values.shape}, read as {layout}, has {images.shape[-1]} channels; allowed "
            "are 1, 3 or 4, and no axis of length 0."
        )
    if images.shape[1] * images.shape[2] > MAX_PIXELS:
        raise SourceError(
            f"{location}: images of {images.shape[2]} x {images.shape[1]} pixels are more than the allowed "
            f"{MAX_PIXELS // 10**6} megapixels."
        )
    return images, said


def _only_layout(shape: tuple[int, ...], location: str) -> str:
    """The usual layout of such a shape, where no other is as likely."""
    readings = _readings(shape)
    if len(readings) == 1 and readings[0] in ("NHW", "NHWC"):
        return readings[0]
    how = "{'path': ..., 'layout': ...}"
    if not readings:
        raise SourceError(
            f"{location}: the array's shape is {shape}; allowed are (N, H, W) and (N, H, W, C) with C = 1, 3 or 4."
        )
    asked = " or ".join(f"{layout} ({_what(shape, layout)})" for layout in readings)
    hint = " The channels seem to come first: use array.transpose(0, 2, 3, 1)." if "NCHW" in readings else ""
    if len(shape) == 2 or readings == ["HWC"]:
        hint = " For a single image, use array[None]."
    raise SourceError(
        f"{location}: the array's shape is {shape}; allowed are (N, H, W) and (N, H, W, C) with C = 1, 3 or 4. It may "
        f"be {asked}: say which with {how}.{hint}"
    )


def _readings(shape: tuple[int, ...]) -> list[str]:
    """Layouts that such a shape may well have, the usual one first."""
    if len(shape) == 2:
        return ["HW"]
    if len(shape) == 3:
        return _of_three(*shape)
    if len(shape) == 4:
        return _of_four(*shape)
    return []


def _of_three(first: int, second: int, last: int) -> list[str]:
    if last in CHANNELS:
        return ["HWC"]
    found = ["NHW"]
    if first in (3, 4):
        found.append("CHW")
    elif first > 1 and last > 1 and second:
        narrower = _is_long(second, last) and not _is_long(first, second)
        found += ["HWN"] if first == second != last or narrower else []
    return found


def _of_four(first: int, second: int, third: int, last: int) -> list[str]:
    found = ["NHWC"] if last in CHANNELS else []
    if second in CHANNELS and (last not in CHANNELS or (third > _LONG * last and second < _LONG)):
        found.append("NCHW")
    if third in CHANNELS and (last not in CHANNELS or (first == second > third and third in (1, 3))):
        found.append("HWCN")
    return found


def _is_long(height: int, width: int) -> bool:
    return max(height, width) > _LONG * max(min(height, width), 1)


def _what(shape: tuple[int, ...], layout: str) -> str:
    sizes = dict(zip(layout, shape, strict=True))
    count, channels = sizes.get("N", 1), sizes.get("C", 1)
    colours = {1: "grey", 3: "colour", 4: "colour with transparency"}.get(channels, f"{channels} channels")
    return f"{count:,} {'image' if count == 1 else 'images'} of {sizes['W']} x {sizes['H']}, {colours}"
