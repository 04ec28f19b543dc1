"""One codec and one resampling history for every image: what remains of a difference is not theirs (theory 18)."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

#: Side of the smaller copy, as a share, and the quality of the JPEG.
SCALE, QUALITY = 0.75, 85


def reencode(pixels: np.ndarray) -> np.ndarray:
    """Shrink to 3/4 of each side and back (bilinear), then through a JPEG of quality 85 (colour at 4:2:0).

    Args:
        pixels: uint8 (n, C, H, W), C = 1 grey or 3 RGB.

    Returns:
        uint8 (n, C, H, W); the same for the same pixels.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1] not in (1, 3):
        raise ValueError(f"pixels must be uint8 (n, 1 or 3, H, W). Got {pixels.dtype} {pixels.shape} instead.")
    return np.stack([_reencode(image) for image in pixels]) if len(pixels) else pixels.copy()


def _reencode(array: np.ndarray) -> np.ndarray:
    """One uint8 (C, H, W)."""
    image = Image.fromarray(np.ascontiguousarray(array[0] if len(array) == 1 else array.transpose(1, 2, 0)))
    small = (max(1, round(SCALE * image.width)), max(1, round(SCALE * image.height)))
    back = image.resize(small, Image.Resampling.BILINEAR).resize(image.size, Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    back.save(buffer, "JPEG", quality=QUALITY, subsampling="4:2:0")
    decoded = np.atleast_3d(np.asarray(Image.open(buffer)))
    return decoded.transpose(2, 0, 1)
