"""Pixel statistics of stored thumbnails, whatever their sizes."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..errors import ImageError
from .decode import decode
from .statistics import STATISTICS, image_statistics


def thumbnail_statistics(thumbnails: Sequence[bytes]) -> pd.DataFrame:
    """``image_statistics`` of encoded images: float64, one row per image, NaN where there is none to decode.

    Thumbnails are at most 64 pixels a side: of larger images, sharpness, complexity and blockiness are those of the
    small copy.

    Args:
        thumbnails: encoded images; empty bytes where a set has none.
    """
    result = np.full((len(thumbnails), len(STATISTICS)), np.nan)
    by_shape: dict[tuple[int, ...], list[tuple[int, np.ndarray]]] = {}
    for position, data in enumerate(thumbnails):
        with contextlib.suppress(ImageError):
            pixels = decode(data, f"thumbnail {position}").pixels  # (H, W, C)
            by_shape.setdefault(pixels.shape, []).append((position, pixels))
    for found in by_shape.values():
        positions, pixels = zip(*found, strict=True)
        result[list(positions)] = image_statistics(np.stack(pixels).transpose(0, 3, 1, 2))
    return pd.DataFrame(result, columns=list(STATISTICS))
