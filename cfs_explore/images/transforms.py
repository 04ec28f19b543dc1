"""Changes that turn in-distribution images into another set: flipped, rotated, inverted, blurred, noisy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

#: Blur in pixels at side 16, and noise as a share of 0..255.
BLUR_SIGMA = 1.2
NOISE_SIGMA = 0.15
#: The blur as a share of the side.
SIDE_BLUR = BLUR_SIGMA / 16


def _flip(image: np.ndarray, row: int, seed: int) -> np.ndarray:
    return image[::-1]


def _rotate(image: np.ndarray, row: int, seed: int) -> np.ndarray:
    return np.rot90(image)


def _invert(image: np.ndarray, row: int, seed: int) -> np.ndarray:
    return 255 - image


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    """A uint8 image (H, W) or (H, W, C) under a Gaussian of ``sigma`` pixels."""
    from scipy.ndimage import gaussian_filter  # slow to import

    smooth = gaussian_filter(image.astype(np.float64), sigma, mode="nearest", axes=(0, 1))
    return np.rint(smooth).astype(np.uint8)


def noisy(image: np.ndarray, sigma: float, row: int, seed: int) -> np.ndarray:
    """A uint8 image with normal noise of ``sigma`` of the grey range, drawn by the seed and the image's row."""
    noise = np.random.default_rng([seed, row]).normal(0, sigma * 255, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)  # saturates, as a sensor does


def _blur(image: np.ndarray, row: int, seed: int) -> np.ndarray:
    return blurred(image, BLUR_SIGMA * len(image) / 16)


def _add_noise(image: np.ndarray, row: int, seed: int) -> np.ndarray:
    return noisy(image, NOISE_SIGMA, row, seed)


#: Name -> change of one uint8 image (H, W) or (H, W, C), given its row in the data and the seed.
TRANSFORMS: dict[str, Callable[[np.ndarray, int, int], np.ndarray]] = {
    "flipped": _flip,
    "rotated": _rotate,
    "inverted": _invert,
    "blurred": _blur,
    "noisy": _add_noise,
}
