"""Fitting an image to a backbone's input, and thumbnails. Pillow's resize filters before it shrinks."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from ..errors import BackboneError, SpecError

#: Filter -> Pillow's, which weighs all pixels below a new one where it shrinks (antialiasing).
FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
_THUMBNAIL_FILTER = FILTERS["bicubic"]

#: Policy -> help text.
RESIZE_POLICIES: dict[str, str] = {
    "crop": "Cut the centre to the backbone's aspect ratio, then scale: no distortion, the borders are lost.",
    "squash": "Scale both sides on their own: everything is kept, shapes are distorted.",
    "pad": "Scale the long side and fill the rest with black: everything is kept, black bars are added.",
}


def to_input(
    pixels: np.ndarray, image_shape: tuple[int, int, int], policy: str = "crop", filter: str = "bicubic"
) -> np.ndarray:
    """Fit one image to a backbone; bit-exact where the size matches already.

    Args:
        pixels: uint8 (H, W, 1) grey or (H, W, 3) RGB.
        image_shape: the backbone's (C, H, W), C = 1 or 3. Grey is repeated to RGB; RGB becomes Rec. 601 luma.
        policy: a key of ``RESIZE_POLICIES``.
        filter: a key of ``FILTERS``.

    Returns:
        uint8 (C, H, W); the backbone's value in [-1, 1] is x / 127.5 - 1.

    Raises:
        SpecError: unknown policy or filter.
        BackboneError: a backbone with neither 1 nor 3 channels.
    """
    check_input_shape(image_shape, policy, filter)
    channels, height, width = image_shape
    image = as_image(pixels)
    if image.mode == "RGB" and channels == 1:
        image = image.convert("L")
    if image.size != (width, height):
        image = _POLICIES[policy](image, width, height, FILTERS[filter])
    array = np.atleast_3d(np.asarray(image)).transpose(2, 0, 1)  # (channel, row, column)
    return np.ascontiguousarray(np.broadcast_to(array, image_shape))


def fit_marks(marks: np.ndarray, image_shape: tuple[int, int, int], policy: str = "crop") -> np.ndarray:
    """Marks of an image, bool (H, W), where ``to_input`` puts the pixels that they are on: the nearest, bool (h, w).

    What "pad" adds is not marked.
    """
    check_input_shape(image_shape, policy)
    _, height, width = image_shape
    image = Image.fromarray(marks.astype(np.uint8))
    if image.size != (width, height):
        image = _POLICIES[policy](image, width, height, Image.Resampling.NEAREST)
    return np.asarray(image) > 0


def kept_share(width: np.ndarray, height: np.ndarray, image_shape: tuple[int, int, int]) -> np.ndarray:
    """Shares of pictures that the policy "crop" keeps, 0..1: the smaller aspect ratio by the larger one.

    Args:
        width, height: (n,), in pixels.
        image_shape: the backbone's (C, H, W).
    """
    ratio = np.asarray(width) * image_shape[1] / (np.asarray(height) * image_shape[2])
    return np.minimum(ratio, 1 / ratio)


def check_input_shape(image_shape: tuple[int, int, int], policy: str, filter: str = "bicubic") -> None:
    """Raise where no image can ever be fitted: see ``to_input``."""
    if policy not in RESIZE_POLICIES:
        raise SpecError(f"resize policy {policy!r}: allowed are {', '.join(RESIZE_POLICIES)}.")
    if filter not in FILTERS:
        raise SpecError(f"resize filter {filter!r}: allowed are {', '.join(FILTERS)}.")
    if len(image_shape) != 3 or image_shape[0] not in (1, 3) or min(image_shape) < 1:
        raise BackboneError(
            f"the backbone takes inputs of shape {tuple(image_shape)}; images can be fitted to "
            "(1, H, W) grey or (3, H, W) RGB."
        )


def check_pixels(pixels: np.ndarray) -> None:
    """Raise ValueError where an array is not uint8 (n, C, H, W), C = 1 grey or 3 RGB."""
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1] not in (1, 3):
        raise ValueError(f"pixels must be uint8 (n, 1 or 3, H, W). Got {pixels.dtype} {pixels.shape} instead.")


def shrunk(pixels: np.ndarray, side: int = 64) -> np.ndarray:
    """uint8 (h, w) or (h, w, 3) of an image (H, W, 1 | 3): at most ``side`` pixels wide and high."""
    image = as_image(pixels)
    if max(image.size) > side:
        image = image.resize(_scaled(image, side / max(image.size)), _THUMBNAIL_FILTER)
    return np.asarray(image)


def png(pixels: np.ndarray) -> bytes:
    """A uint8 (h, w) or (h, w, 3) as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def thumbnail(pixels: np.ndarray, side: int = 64) -> bytes:
    """PNG bytes of an image (H, W, 1 | 3), shrunk to at most ``side`` pixels; else lossless."""
    return png(shrunk(pixels, side))


def as_image(pixels: np.ndarray) -> Image.Image:
    """Pillow's image of a uint8 (H, W, 1) grey or (H, W, 3) RGB."""
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def _scaled(image: Image.Image, scale: float) -> tuple[int, int]:
    return max(1, round(image.width * scale)), max(1, round(image.height * scale))


def _crop(image: Image.Image, width: int, height: int, filter: Image.Resampling) -> Image.Image:
    # Cut first: scaling first would blow a 1 x 100,000,000 image up beyond all memory.
    cut_width = min(image.width, max(1, round(image.height * width / height)))
    cut_height = min(image.height, max(1, round(image.width * height / width)))
    left, top = (image.width - cut_width) // 2, (image.height - cut_height) // 2
    return _squash(image.crop((left, top, left + cut_width, top + cut_height)), width, height, filter)


def _squash(image: Image.Image, width: int, height: int, filter: Image.Resampling) -> Image.Image:
    return image.resize((width, height), filter)


def _pad(image: Image.Image, width: int, height: int, filter: Image.Resampling) -> Image.Image:
    scaled = image.resize(_scaled(image, min(width / image.width, height / image.height)), filter)
    canvas = Image.new(image.mode, (width, height))  # black
    canvas.paste(scaled, ((width - scaled.width) // 2, (height - scaled.height) // 2))
    return canvas


_POLICIES: dict[str, Callable[[Image.Image, int, int, Image.Resampling], Image.Image]] = {
    "crop": _crop,
    "squash": _squash,
    "pad": _pad,
}
