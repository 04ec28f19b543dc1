"""Noise that a reading draws on its way, beside the batch's: keyed by image and draw, too."""

from __future__ import annotations

import numpy as np
import torch

from cfs_explore.corruption import keyed_noise
from cfs_explore.errors import CFSError
from cfs_explore.readings.protocol import Batch


def further_noise(batch: Batch, word: str) -> torch.Tensor:
    """Standard normal noise of each row, (B, *input_shape), on the batch's device.

    Args:
        batch: with keys; nothing but id and draw of a row, and the word, enters.
        word: what the noise is for; another word gives other noise.

    Raises:
        CFSError: the images have no ids.
    """
    if batch.keys is None:
        raise CFSError("This reading draws further noise, which is keyed by the images' ids: give `ids`.")
    names = [f"{image_id}|{draw}|{word}" for image_id, draw in batch.keys]
    noise = keyed_noise(names, 1, tuple(batch.clean.shape[1:]))[0]
    return torch.from_numpy(np.ascontiguousarray(noise)).to(batch.clean)
