"""Keyed noise and the corruption x_lam = a x0 + b e (theory 1, section 2)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np


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
    """Content-derived ids for images that come as an array (n, C, H, W)."""
    return [hashlib.blake2b(np.ascontiguousarray(x).tobytes(), digest_size=8).hexdigest() for x in images]


def corrupt(x0, noise, a, b):
    """x_lam = a x0 + b e (theory 1), for arrays or tensors that broadcast."""
    return a * x0 + b * noise
