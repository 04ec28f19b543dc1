"""Bytes of an image file -> uint8 pixels. What cannot be decoded in full is an ImageError.

Colour profiles are ignored: the stored numbers are what a backbone was trained on.
"""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

from ..errors import ImageError
from .record import Record

#: The only codecs that are tried, by Pillow's names.
CODECS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
MAX_PIXELS = 100_000_000
MAX_ENCODED_BYTES = 64 * 2**20

#: What Pillow's plugins raise on damaged files.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    NotImplementedError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
_SIXTEEN_BIT = ("I", "I;16", "I;16L", "I;16B", "I;16N")


def decode(data: bytes, name: str, label: str = "") -> Record:
    """Decode one image file; of an animation, the first frame.

    Args:
        data: the file's bytes, at most 64 MiB, in one of ``CODECS``.
        name: how errors call the image.
        label: its class, '' for none.

    Returns:
        Record with pixels (H, W, 1) for the grey modes (1, L, LA, I, I;16, F), else (H, W, 3). EXIF
        rotation is applied, transparency is laid on white, 16-bit values are divided by 257.

    Raises:
        ImageError: not an image, another codec, damaged, truncated, above 100 megapixels or 64 MiB.
    """
    check_encoded_size(len(data), name)
    if not data:
        raise ImageError(f"{name}: the file is empty (0 bytes).")
    try:
        with _open(data, name) as image:
            codec = "JPEG" if image.format == "MPO" else image.format  # a phone's multi-picture JPEG
            if codec == "PNG":  # loading a PNG checks no checksums
                with _open(data, name) as unread:
                    unread.verify()
            mode = image.mode
            image.load()
            pixels = _to_pixels(ImageOps.exif_transpose(image), name)
    except _DAMAGE as error:
        raise ImageError(f"{name}: damaged or truncated image ({_reason(error)}).") from error
    return Record.of(pixels, name=name, label=label, format=codec, mode=mode)


def check_encoded_size(n_bytes: int, name: str) -> None:
    """Raise ImageError where an image file of ``n_bytes`` is larger than any source may hold."""
    if n_bytes > MAX_ENCODED_BYTES:
        raise ImageError(f"{name}: a file of {n_bytes / 2**20:.0f} MiB; allowed are {MAX_ENCODED_BYTES // 2**20} MiB.")


def on_white(pixels: np.ndarray) -> np.ndarray:
    """Lay uint8 (..., C + 1) with alpha in the last channel on white: uint8 (..., C)."""
    colour = pixels[..., :-1].astype(np.uint32)
    alpha = pixels[..., -1:].astype(np.uint32)
    return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _open(data: bytes, name: str) -> Image.Image:
    """Read the header only, and refuse what is no image or too large to decode."""
    try:
        image = Image.open(io.BytesIO(data), formats=CODECS)
    except Image.UnidentifiedImageError as error:
        raise ImageError(f"{name}: not an image in one of {', '.join(CODECS)}, or a damaged one.") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name}: more than {MAX_PIXELS // 10**6} megapixels ({error}).") from error
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(
            f"{name}: {image.width} x {image.height} pixels are more than the allowed "
            f"{MAX_PIXELS // 10**6} megapixels; scale the image down."
        )
    return image


def _to_pixels(image: Image.Image, name: str) -> np.ndarray:
    """Any Pillow mode -> uint8 (H, W, 1) or (H, W, 3)."""
    if image.mode in _SIXTEEN_BIT:
        return _from_sixteen_bit(np.asarray(image), name)[:, :, None]
    if image.mode == "F":
        return _from_unit_floats(np.asarray(image), name)[:, :, None]
    grey = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        return on_white(np.asarray(image.convert("LA" if grey else "RGBA")))
    return np.asarray(image.convert("L"))[:, :, None] if grey else np.asarray(image.convert("RGB"))


def _from_sixteen_bit(values: np.ndarray, name: str) -> np.ndarray:
    """Integers 0..65535 -> 0..255, v / 257 rounded (257 = 65535 / 255)."""
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise ImageError(f"{name}: pixels from {low} to {high}; allowed are 0 to 65535. Save as 8 or 16 bit.")
    return ((values.astype(np.int64) + 128) // 257).astype(np.uint8)


def _from_unit_floats(values: np.ndarray, name: str) -> np.ndarray:
    """Floats 0..1 -> 0..255, rounded."""
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 1):
        raise ImageError(f"{name}: floats from {low:g} to {high:g}; allowed are 0 to 1. Save as 8 or 16 bit.")
    return np.rint(values.astype(np.float64) * 255).astype(np.uint8)


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
