"""Plain statistics of pixels: what separates two sets before any network is used (theory 18)."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd

from .preprocess import as_image, check_pixels

#: Rec. 601 luma, as ``to_input`` has it.
LUMA = np.array([0.299, 0.587, 0.114])
#: JPEG codes blocks of this side.
_BLOCK = 8
#: Bytes of float64 in memory at a time, about.
_PART_BYTES = 32_000_000

#: Statistic -> what it measures, its formula and source.
STATISTICS: dict[str, str] = {
    "mean": "Mean of Y, the luma of Rec. 601, 0..255.",
    "contrast": "Standard deviation of Y: RMS contrast (Peli 1990).",
    "colourfulness": "sqrt(var(rg) + var(yb)) + 0.3 sqrt(mean(rg)^2 + mean(yb)^2) with rg = R - G, "
    "yb = (R + G) / 2 - B (Hasler and Suesstrunk 2003).",
    "sharpness": "Variance of the Laplacian of Y, 4 neighbours, inner pixels (Pech-Pacheco et al. 2000).",
    "complexity": "Size of the losslessly compressed (PNG) image in bits per value (Serra et al. 2020).",
    "blockiness": "Mean |difference| of Y across the borders of JPEG's 8 x 8 blocks minus that inside blocks, both "
    "directions averaged (after Wang, Sheikh and Bovik 2002).",
}


def image_statistics(pixels: np.ndarray) -> pd.DataFrame:
    """The statistics of every image: float64, one row per image, a column for each of ``STATISTICS``.

    Grey images have colourfulness 0; images too small for an inner pixel or a block border have sharpness or
    blockiness 0.

    Args:
        pixels: uint8 (n, C, H, W), C = 1 grey or 3 RGB.
    """
    check_pixels(pixels)
    size = max(1, _PART_BYTES // (8 * int(np.prod(pixels.shape[1:]))))
    parts = [_statistics(np.asarray(pixels[start : start + size])) for start in range(0, len(pixels), size)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(STATISTICS), dtype=np.float64)


def _statistics(pixels: np.ndarray) -> pd.DataFrame:
    values = pixels.astype(np.float64)
    luma = np.tensordot(values, LUMA, axes=([1], [0])) if pixels.shape[1] == 3 else values[:, 0]  # (n, H, W)
    columns = {
        "mean": luma.mean(axis=(1, 2)),
        "contrast": luma.std(axis=(1, 2)),
        "colourfulness": _colourfulness(values),
        "sharpness": _sharpness(luma),
        "complexity": np.array([_complexity(image) for image in pixels]),
        "blockiness": (_border_excess(luma) + _border_excess(luma.transpose(0, 2, 1))) / 2,
    }
    return pd.DataFrame(columns)[list(STATISTICS)]


def _colourfulness(values: np.ndarray) -> np.ndarray:
    if values.shape[1] == 1:
        return np.zeros(len(values))
    r, g, b = values.transpose(1, 0, 2, 3)
    opponents = (r - g, (r + g) / 2 - b)
    spread = sum(v.var(axis=(1, 2)) for v in opponents)
    offset = sum(v.mean(axis=(1, 2)) ** 2 for v in opponents)
    return np.sqrt(spread) + 0.3 * np.sqrt(offset)


def _sharpness(luma: np.ndarray) -> np.ndarray:
    if min(luma.shape[1:]) < 3:
        return np.zeros(len(luma))
    around = luma[:, :-2, 1:-1] + luma[:, 2:, 1:-1] + luma[:, 1:-1, :-2] + luma[:, 1:-1, 2:]
    return (around - 4 * luma[:, 1:-1, 1:-1]).var(axis=(1, 2))


def _complexity(image: np.ndarray) -> float:
    """Bits per value of one uint8 (C, H, W) as PNG."""
    buffer = io.BytesIO()
    as_image(image.transpose(1, 2, 0)).save(buffer, "PNG", compress_level=9)
    return 8 * len(buffer.getvalue()) / image.size


def _border_excess(luma: np.ndarray) -> np.ndarray:
    """Mean |horizontal difference| across block borders minus that elsewhere, (n,)."""
    steps = np.abs(np.diff(luma, axis=2))  # (n, H, W - 1)
    border = np.arange(1, luma.shape[2]) % _BLOCK == 0
    if not border.any():
        return np.zeros(len(luma))
    return steps[:, :, border].mean(axis=(1, 2)) - steps[:, :, ~border].mean(axis=(1, 2))
