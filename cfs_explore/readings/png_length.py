"""How many bits an image takes as a PNG file: its complexity, without any network."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import torch

from cfs_explore.backbones.base import Backbone
from cfs_explore.contracts import Cost, Level
from cfs_explore.corruption import to_bytes
from cfs_explore.errors import CFSError
from cfs_explore.readings.protocol import Batch


class PngLength:
    """The length of the clean image's PNG code; noise and level play no part.

    Args:
        level: any of the backbone's.
    """

    name = "png_length"
    unit = "statistic"
    columns = {"PNG bits": slice(0, 1)}  # noqa: RUF012
    cost = Cost(forwards=0, jvps=0, effective=0.0)

    def __init__(self, level: Level):
        self.levels = (dataclasses.replace(level, a=1.0, b=0.0),)

    def read(self, backbone: Backbone, batch: Batch) -> torch.Tensor:
        """float64 (B, 1)."""
        images, rows = np.unique(batch.images.cpu().numpy(), return_inverse=True)  # draws share an image
        bits = np.array([png_bits(image) for image in batch.clean[torch.from_numpy(images)].float().cpu().numpy()])
        return torch.from_numpy(bits[rows.reshape(-1)].reshape(-1, 1)).to(batch.clean.device)


def png_bits(image: np.ndarray) -> float:
    """Bits of one image's (1 | 3, H, W) PNG file as Pillow optimises it, which depends a little on its zlib.

    Values are in [-1, 1].

    Raises:
        CFSError: for another number of channels.
    """
    from PIL import Image

    if image.shape[0] not in (1, 3):
        raise CFSError(f"PNG codes images of 1 or 3 channels. Got {image.shape[0]} instead.")
    pixels = to_bytes(image).transpose(1, 2, 0)
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG", optimize=True)
    return 8.0 * len(file.getvalue())
