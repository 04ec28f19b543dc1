"""A patch of another picture pasted at a known place (theory 24).

What of a patch is beyond an edge of the image lies at the opposite one: patches cover every pixel equally often. So a
map that knows nothing but a pixel's place, such as one that is higher in the middle, finds them no better than chance.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np


def planted(pixels: np.ndarray, donors: np.ndarray, corners: np.ndarray, side: int) -> np.ndarray:
    """Images with a square of another one, which is cut there at the same place.

    Args:
        pixels, donors: uint8 (n, C, H, W).
        corners: row and column of each patch's upper left pixel, (n, 2).
        side: of the square.
    """
    marked = marks(corners, side, pixels.shape[2:])[:, None]
    return np.where(marked, donors, pixels)


def marks(corners: np.ndarray, side: int, size: tuple[int, int]) -> np.ndarray:
    """Where the patches are: bool (n, H, W); arguments as for ``planted``."""
    rows, columns = (
        (np.arange(length) - start[:, None]) % length < side for start, length in zip(corners.T, size, strict=True)
    )
    return rows[:, :, None] & columns[:, None, :]


def corners_of(ids: Sequence[str], seed: int, size: tuple[int, int]) -> np.ndarray:
    """A place for each image, which depends on (seed, image id) alone and is uniform over the image: int (n, 2)."""
    found = []
    for image_id in ids:
        key = hashlib.blake2b(f"{seed}|{image_id}|patch".encode(), digest_size=16).digest()
        draws = (int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little"))
        found.append([draw % length for draw, length in zip(draws, size, strict=True)])
    return np.array(found)
