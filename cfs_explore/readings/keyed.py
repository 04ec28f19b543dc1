"""Noise that a reading draws on its way, keyed by seed, image and draw, so that batch and order do not matter."""

from __future__ import annotations

import hashlib

import numpy as np
import torch

from cfs_explore.errors import CFSError
from cfs_explore.readings.protocol import Batch


class KeyedNoise:
    """One stream of noise for each row of a batch, of seed, image id, draw and a word alone.

    Args:
        batch: whose rows are (level, draw, image); levels of one image and draw share the stream.
        word: what the noise is for; another word gives other noise.

    Raises:
        CFSError: the images have no ids.
    """

    def __init__(self, batch: Batch, word: str):
        if batch.keys is None:
            raise CFSError(
                f"This reading draws noise on its way ({word}), which image ids key. Give the reader an id per image."
            )
        self._like, self._layout = batch.clean, batch.layout
        keys = (hashlib.blake2b(f"{i}|{draw}|{word}".encode(), digest_size=16).digest() for i, draw in batch.keys)
        self._rows = [np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little"))) for key in keys]

    def normal(self) -> torch.Tensor:
        """The next standard normal noise, float32 (B, *input_shape)."""
        noise = np.empty((len(self._rows), *self._like.shape[1:]), dtype=np.float32)
        for generator, row in zip(self._rows, noise, strict=True):
            generator.standard_normal(dtype=np.float32, out=row)
        return torch.from_numpy(noise).to(self._like.device).contiguous(memory_format=self._layout)

    def signs(self) -> torch.Tensor:
        """The next Rademacher noise, -1 or 1 with equal chance, float32 (B, *input_shape)."""
        return torch.where(self.normal() < 0, -1.0, 1.0)
