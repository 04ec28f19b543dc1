"""The images of a training, in memory as bytes."""

from __future__ import annotations

import numpy as np
import torch
from tqdm import trange

from cfs_explore import images
from cfs_explore.corruption import to_signed
from cfs_explore.errors import SourceError


def load_images(data: str | dict, shape: tuple[int, int, int]) -> torch.Tensor:
    """Every image of a source as uint8 (n, C, H, W).

    Raises:
        SourceError: it cannot be read, or takes more memory than there is.
    """
    with images.open_source(data) as source:
        count = len(source)
        try:
            pixels = np.empty((count, *shape), dtype=np.uint8)
        except (MemoryError, ValueError) as error:
            raise SourceError(
                f"{source.location}: {count:,} images of {shape} take too much memory ({error})."
            ) from error
        for i in trange(count, desc="reading", unit="image", disable=count < 5_000):
            pixels[i] = images.to_input(source.read(i).pixels, shape)
    return torch.from_numpy(pixels)


def draw_batch(data: torch.Tensor, size: int, generator: torch.Generator, *, flip: bool) -> torch.Tensor:
    """Images drawn with replacement, in [-1, 1], float32 (size, C, H, W); with ``flip``, half of them mirrored."""
    x0 = torch.from_numpy(to_signed(data[torch.randint(len(data), (size,), generator=generator)].numpy()))
    if flip:
        mirrored = torch.rand(size, 1, 1, 1, generator=generator) < 0.5
        x0 = torch.where(mirrored, x0.flip(-1), x0)
    return x0
