"""Is a picture grey or in colour? Its pixels decide, whatever mode its file was saved in.

A pixel is grey where its channels are equal up to ``TOLERANCE``, a picture where all of its pixels are, but for
``STRAYS`` of them. Grey pictures saved as RGB come back from JPEG, WebP and GIF at any quality with channels that
differ by 1 at most, and by 5 where a scan had noise; of CIFAR-10, CIFAR-100, house numbers and photographs of people,
0 to 1 % stay below 8, which are grey to the eye, and the number grows quickly from 10 on. The strays let a date or a
coloured mark on a scan be.
"""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
from PIL import Image

GREY, COLOUR = "grey", "colour"
#: Largest minus smallest channel of a grey pixel, 0..255; share of a grey picture's pixels that may exceed it.
TOLERANCE, STRAYS = 8, 0.01
#: Pillow's modes without colour.
GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N", "F")


def colour_of(pixels: np.ndarray) -> str:
    """``GREY`` or ``COLOUR``, of uint8 (H, W), (H, W, 1) or (H, W, 3)."""
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return GREY
    spread = pixels.max(axis=2) - pixels.min(axis=2)
    return GREY if np.count_nonzero(spread > TOLERANCE) <= STRAYS * spread.size else COLOUR


def stored_colours(rows: pd.DataFrame) -> list[str]:
    """The same of images that were prepared before it was noted: by their thumbnails, or else by their modes.

    Args:
        rows: mode (Pillow's, native), and thumbnail (PNG bytes, empty where there is none).
    """
    return [
        GREY if mode in GREY_MODES else _of_thumbnail(png) if png else COLOUR
        for mode, png in zip(rows["mode"], rows["thumbnail"], strict=True)
    ]


def _of_thumbnail(png: bytes) -> str:
    with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
        return colour_of(np.asarray(image))
