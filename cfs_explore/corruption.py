"""Images as the theory's x0, keyed noise, and the corruption x_lam = a x0 + b e (theory 1, section 2)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from cfs_explore.contracts import pixel_id

#: float32 keeps ``to_signed`` of a byte so closely, in steps of bytes.
_BYTE_TOLERANCE = 1e-4


def to_signed(pixels: np.ndarray) -> np.ndarray:
    """x0 in [-1, 1] of bytes: k / 127.5 - 1, uint8 of any shape -> float32 of the same shape."""
    return pixels.astype(np.float32) / 127.5 - 1.0


def to_bytes(x: np.ndarray) -> np.ndarray:
    """The inverse of ``to_signed``: floats of any shape, clipped to [-1, 1] and rounded -> uint8 of the same shape."""
    return np.rint(_byte_scale(x.clip(-1.0, 1.0))).astype(np.uint8)


def _byte_scale(x: np.ndarray) -> np.ndarray:
    """[-1, 1] -> [0, 255], not rounded, dtype as given."""
    return (x + 1.0) * 127.5


def keyed_noise(ids: Sequence[str], draws: int, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Standard normal noise that depends on (seed, image id, draw) alone.

    Nothing else enters the key, so scores do not depend on batch size, order, sharding or device.

    Args:
        ids: one stable id per image.
        draws: number of noise draws per image.
        shape: (C, H, W) of one image.
        seed: the run's seed.

    Returns:
        float32 array (draws, n, C, H, W).
    """
    noise = np.empty((draws, len(ids), *shape), dtype=np.float32)
    for i, image_id in enumerate(ids):
        for m in range(draws):
            key = hashlib.blake2b(f"{seed}|{image_id}|{m}".encode(), digest_size=16).digest()
            generator = np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))
            noise[m, i] = generator.standard_normal(shape, dtype=np.float32)
    return noise


def array_ids(images: np.ndarray) -> list[str]:
    """Content-derived ids for images that come as an array (n, C, H, W) in [-1, 1].

    An image of bytes (``to_signed``) has the id that it has in a run as (H, W, C) at this very size. Any other has the
    digest of its own numbers.
    """
    return [_array_id(image) for image in images]


def _array_id(image: np.ndarray) -> str:
    levels = _byte_scale(image.astype(np.float64))
    pixels = np.rint(levels)
    close = np.abs(levels - pixels).max(initial=0.0) <= _BYTE_TOLERANCE  # False for NaN
    if not close or pixels.min(initial=0) < 0 or pixels.max(initial=0) > 255:
        return hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=8).hexdigest()
    return pixel_id(np.ascontiguousarray(pixels.astype(np.uint8).transpose(1, 2, 0)))


def corrupt(x0, noise, a, b):
    """x_lam = a x0 + b e (theory 1), for arrays or tensors that broadcast."""
    return a * x0 + b * noise
