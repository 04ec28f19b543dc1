"""One codec and one resampling history for every image: what remains of a difference is not theirs (theory 18)."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from .preprocess import as_image, check_pixels

#: Side of the smaller copy, as a share, and the quality of the JPEG.
SCALE, QUALITY = 0.75, 85


def reencode(pixels: np.ndarray) -> np.ndarray:
    """Shrink to 3/4 of each side and back (bilinear), then through a JPEG of quality 85 (colour at 4:2:0).

    Args:
        pixels: uint8 (n, C, H, W), C = 1 grey or 3 RGB.

    Returns:
        uint8 (n, C, H, W); the same for the same pixels.
    """
    check_pixels(pixels)
    return np.stack([_reencode(image) for image in pixels]) if len(pixels) else pixels.copy()


def _reencode(array: np.ndarray) -> np.ndarray:
    """One uint8 (C, H, W)."""
    image = as_image(array.transpose(1, 2, 0))
    small = (max(1, round(SCALE * image.width)), max(1, round(SCALE * image.height)))
    back = image.resize(small, Image.Resampling.BILINEAR).resize(image.size, Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    back.save(buffer, "JPEG", quality=QUALITY, subsampling="4:2:0")
    decoded = np.atleast_3d(np.asarray(Image.open(buffer)))
    return decoded.transpose(2, 0, 1)
