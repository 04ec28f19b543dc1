"""Bytes of an image file -> uint8 pixels. What cannot be decoded in full is an ImageError.

Colour profiles are ignored: the stored numbers are what a backbone was trained on.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageOps

from ..errors import ImageError
from .codec import codec_of
from .record import Record
from .tiff import black_at_zero, is_signed_byte, is_white_at_zero
from .tones import COLOUR_NEARLY_BLACK, by_rows, from_floats, from_integers, in_range

#: The only codecs that are tried, by Pillow's names.
CODECS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
MAX_PIXELS = 100_000_000
MAX_ENCODED_BYTES = 64 * 2**20
#: Pillow's own warning of large images, on the app's terminal, says nothing more than the error of ``MAX_PIXELS``.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
#: Pages of a file that are counted.
MAX_PAGES = 10_000
PAGES_LEFT = "{pages} left out: of a file with several, the first is read, unless each is an image (`pages: all`)."
_PAGED = ("TIFF",)
#: Of the upper 8 bits of a colour of 16, what 12-bit colours stay below.
_DIM = 16

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


def decode(
    data: bytes, name: str, label: str = "", declared: tuple[float, float] | None = None, page: int = 0
) -> Record:
    """Decode one image file; of an animation or of several pages, one.

    Args:
        data: the file's bytes, at most 64 MiB, in one of ``CODECS``.
        name: how errors call the image.
        label: its class, '' for none.
        declared: (low, high) of the numbers in the file, which become black and white.
        page: which one; where it is 0, a remark says how many others are left out.

    Returns:
        Record with pixels (H, W, 1) for the grey modes (1, L, LA, I, I;16, F), else (H, W, 3). EXIF
        rotation is applied, transparency is laid on white, 16-bit values are divided by 257; 0 is white where a TIFF
        says so.

    Raises:
        ImageError: not an image, another codec, damaged, truncated, above 100 megapixels or 64 MiB, or with numbers
            outside the declared range.
    """
    check_encoded_size(len(data), name)
    if not data:
        raise ImageError(f"{name}: the file is empty (0 bytes).")
    try:
        inverted, image = _opened(data, name)
        with image:
            codec = codec_of(image, data)
            if image.format == "PNG":  # loading a PNG checks no checksums
                with _open(data, name) as unread:
                    unread.verify()
            others = 0 if page or image.format not in _PAGED else _count_pages(image) - 1
            image.seek(page)
            _check_size(image, name)
            mode, raw = image.mode, _raw_mode(image)
            signed, inverted = is_signed_byte(image), inverted or is_white_at_zero(image)
            image.load()
            numbers = _Numbers(raw, signed, inverted, declared)
            pixels, remark = _to_pixels(ImageOps.exif_transpose(image), numbers, name)
    except _DAMAGE as error:
        raise ImageError(f"{name}: damaged or truncated image ({_reason(error)}).") from error
    record = Record.of(pixels, name=name, label=label, format=codec, mode=mode)
    remarks = [(remark, 1)] if remark else []
    return replace(record, remarks=(*remarks, *([(PAGES_LEFT, others)] if others else [])))


def count_pages(data: bytes, name: str) -> int:
    """Pages or frames of an image file, at most ``MAX_PAGES``; raises ImageError as ``decode``."""
    try:
        _, image = _opened(data, name)
        with image:
            return _count_pages(image)
    except _DAMAGE as error:
        raise ImageError(f"{name}: damaged or truncated image ({_reason(error)}).") from error


def _count_pages(image: Image.Image) -> int:
    count = 1
    try:
        while count < MAX_PAGES:
            image.seek(count)
            count += 1
    except EOFError:
        pass
    finally:
        image.seek(0)
    return count


def check_encoded_size(n_bytes: int, name: str) -> None:
    """Raise ImageError where an image file of ``n_bytes`` is larger than any source may hold."""
    if n_bytes > MAX_ENCODED_BYTES:
        raise ImageError(f"{name}: a file of {n_bytes / 2**20:.0f} MiB; allowed are {MAX_ENCODED_BYTES // 2**20} MiB.")


def on_white(pixels: np.ndarray) -> np.ndarray:
    """Lay uint8 (..., C + 1) with alpha in the last channel on white: uint8 (..., C)."""
    return by_rows(pixels, _laid_on_white)


def _laid_on_white(pixels: np.ndarray) -> np.ndarray:
    colour = pixels[..., :-1].astype(np.uint32)
    alpha = pixels[..., -1:].astype(np.uint32)
    return (colour * alpha + 255 * (255 - alpha) + 127) // 255


def _open(data: bytes, name: str) -> Image.Image:
    """Read the header only, and refuse what is not an image or too large to decode."""
    try:
        image = Image.open(io.BytesIO(data), formats=CODECS)
    except Image.UnidentifiedImageError as error:
        if data[4:8] == b"ftyp":  # phones' HEIC and AVIF, whatever the file's name says
            raise ImageError(f"{name}: an image in HEIC or AVIF. Save it as JPEG or PNG.") from error
        raise ImageError(f"{name}: not an image in one of {', '.join(CODECS)}, or a damaged one.") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name}: more than {MAX_PIXELS // 10**6} megapixels ({error}).") from error
    _check_size(image, name)
    return image


def _check_size(image: Image.Image, name: str) -> None:
    """Raise ImageError where the page that is open is too large to decode."""
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(
            f"{name}: {image.width} x {image.height} pixels are more than the allowed "
            f"{MAX_PIXELS // 10**6} megapixels; scale the image down."
        )


def _opened(data: bytes, name: str) -> tuple[bool, Image.Image]:
    """The image, header only, and whether it is to be inverted since it was read as black at 0."""
    try:
        return False, _open(data, name)
    except ImageError:
        other = black_at_zero(data)
        if other is None:
            raise
        return True, _open(other, name)


def _raw_mode(image: Image.Image) -> str:
    """How the numbers stand in the file, in Pillow's words."""
    options = image.tile[0].args if image.tile else ""
    return str(options[0] if isinstance(options, tuple) and options else options)


@dataclass(frozen=True)
class _Numbers:
    """How a file's numbers are to be read: Pillow's raw mode, -128 to 127, 0 as white, and the range declared."""

    raw: str
    signed: bool
    inverted: bool
    declared: tuple[float, float] | None


def _to_pixels(image: Image.Image, numbers: _Numbers, name: str) -> tuple[np.ndarray, str]:
    """Any Pillow mode -> uint8 (H, W, 1) or (H, W, 3), and what is to be said of it, or ''."""
    if numbers.signed and numbers.declared is None:
        raise ImageError(
            f"{name}: numbers of 8 bits with a sign, -128 to 127. Declare the range of the set, such as [-128, 127]."
        )
    if image.mode in _SIXTEEN_BIT or image.mode == "F":
        return _from_numbers(image, numbers, name)
    if numbers.signed:
        return in_range(np.asarray(image.convert("L")).view(np.int8), numbers.declared, name)[:, :, None], ""
    grey = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        values = np.asarray(image.convert("LA" if grey else "RGBA"))
        shown = values if numbers.declared is None else _declared(values, numbers.declared, name)
        return on_white(shown), _dim(numbers, values[..., :-1])
    values = np.asarray(image.convert("L"))[:, :, None] if grey else np.asarray(image.convert("RGB"))
    return (values if numbers.declared is None else in_range(values, numbers.declared, name)), _dim(numbers, values)


def _declared(values: np.ndarray, declared: tuple[float, float], name: str) -> np.ndarray:
    """Bytes (H, W, C + 1) in the declared range, alpha as it is."""
    return np.concatenate([in_range(values[..., :-1], declared, name), values[..., -1:]], axis=-1)


def _dim(numbers: _Numbers, values: np.ndarray) -> str:
    """A remark on colours of 16 bits, of which Pillow keeps the upper 8, where these are nearly nothing."""
    dim = numbers.raw.split(";")[-1].startswith("16") and 0 < values.max(initial=0) < _DIM
    return COLOUR_NEARLY_BLACK if dim else ""


def _from_numbers(image: Image.Image, numbers: _Numbers, name: str) -> tuple[np.ndarray, str]:
    """Grey of 16 bits, 32 bits or floats."""
    values, floats = np.asarray(image), image.mode == "F"
    if numbers.declared is not None:
        pixels, remark = in_range(values, numbers.declared, name), ""
    else:
        pixels, remark = from_floats(values, name) if floats else from_integers(values, name)
    if numbers.inverted:
        pixels = 255 - pixels
    transparent = image.info.get("transparency")
    if isinstance(transparent, int) and not floats:
        pixels = np.where(values == transparent, np.uint8(255), pixels)
    return pixels[:, :, None], remark


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
