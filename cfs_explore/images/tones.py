"""Numbers of an image file -> bytes from black to white: 8 bit as they are, 16 bit and floats scaled by their range."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..errors import ImageError

#: What is said of a set, with the number of its images ({images}).
NEARLY_BLACK = (
    "{bits}-bit values in 16 bits, up to {most:,} of 65,535, make {{images}} nearly black. If {most:,} is white, "
    "say so with the range [0, {most}]."
)
COLOUR_NEARLY_BLACK = (
    "Colours of 12 bits or fewer in 16 bits make {images} nearly black. Save them with 8 bits per channel."
)
CLIPPED = "Floats a little outside 0 to 1, as resizing makes them, were clipped in {images}."
_BITS = (10, 12, 14)
#: How far resizing may leave [0, 1].
OVERSHOOT = 0.05
#: Values that are converted together.
_AT_ONCE = 2**22


def by_rows(values: np.ndarray, convert: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """uint8 of values converted some rows at a time: wide numbers of a large image would take gigabytes.

    Args:
        values: (H, ...).
        convert: rows -> their new values, element by element in the axes before the last.
    """
    step = max(1, _AT_ONCE // max(1, values[:1].size))
    parts = [convert(values[start : start + step]).astype(np.uint8) for start in range(0, len(values), step)]
    return np.concatenate(parts) if parts else convert(values).astype(np.uint8)


def in_range(values: np.ndarray, declared: tuple[float, float], name: str) -> np.ndarray:
    """Any numbers -> uint8, the declared ends to 0 and 255.

    Raises:
        ImageError: values outside.
    """
    low, high = declared
    least, most = float(values.min()), float(values.max())
    if not (least >= low and most <= high):
        raise ImageError(f"{name}: values from {least:g} to {most:g}; the range declared is {low:g} to {high:g}.")
    return by_rows(values, lambda part: np.rint((part.astype(np.float64) - low) * (255.0 / (high - low))))


def from_integers(values: np.ndarray, name: str) -> tuple[np.ndarray, str]:
    """Integers 0..65535 -> 0..255, v / 257 rounded (257 = 65535 / 255); and what is to be said of it, or ''.

    Raises:
        ImageError: values outside.
    """
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise ImageError(
            f"{name}: pixels from {low} to {high}; allowed are 0 to 65535. Declare the range of the set, such as "
            "[-1024, 3071], or save as 8 or 16 bit."
        )
    bits = next((bits for bits in _BITS if high < 2**bits), None)
    remark = NEARLY_BLACK.format(bits=bits, most=2**bits - 1) if bits is not None and high > 255 else ""
    return by_rows(values, lambda part: (part.astype(np.int64) + 128) // 257), remark


def from_floats(values: np.ndarray, name: str) -> tuple[np.ndarray, str]:
    """Floats 0..1 -> 0..255, rounded; and what is to be said of it, or ''.

    Raises:
        ImageError: values further outside than resizing leaves them, or NaN.
    """
    low, high = float(values.min()), float(values.max())
    if not (low >= -OVERSHOOT and high <= 1 + OVERSHOOT):
        raise ImageError(
            f"{name}: floats from {low:g} to {high:g}; allowed are 0 to 1. Declare the range of the set, or save as 8 "
            "or 16 bit."
        )
    pixels = by_rows(values, lambda part: np.rint(part.astype(np.float64).clip(0, 1) * 255))
    return pixels, CLIPPED if low < 0 or high > 1 else ""
