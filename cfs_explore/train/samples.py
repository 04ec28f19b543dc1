"""A sheet of samples: what a backbone dreams, to see whether its training worked."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from cfs_explore.backbones import Backbone
from cfs_explore.corruption import to_bytes

_ROWS, _COLUMNS, _STEPS = 4, 8, 40
#: The last level: less noise than a step of 8 bits.
_CLEAN_LAM = 9.0


@torch.inference_mode()
def draw_samples(backbone: Backbone, count: int, *, steps: int = _STEPS, seed: int = 0) -> np.ndarray:
    """Deterministic samples (DDIM, Song et al. 2021) along equal steps of log-SNR.

    Args:
        backbone: in pixel space.
        count: of images.
        steps: forwards per image.
        seed: of the first noise.

    Returns:
        uint8 (count, C, H, W).
    """
    low, high = backbone.reach
    levels = [backbone.match(lam) for lam in np.linspace(low, min(high, _CLEAN_LAM), steps)]
    noise = torch.randn(count, *backbone.input_shape, generator=torch.Generator().manual_seed(seed))
    x = math.hypot(levels[0].a * 0.5, levels[0].b) * noise.to(backbone.device)
    for now, then in zip(levels, [*levels[1:], None], strict=True):
        eps = backbone.predict_eps(x, now)
        x0 = ((x - now.b * eps) / now.a).clamp(-1, 1)
        x = x0 if then is None else then.a * x0 + then.b * (x - now.a * x0) / now.b
    return to_bytes(x.float().cpu().numpy())


def write_samples(backbone: Backbone, path: Path) -> None:
    """A PNG of samples in rows."""
    drawn = draw_samples(backbone, _ROWS * _COLUMNS)
    sheet = drawn.reshape(_ROWS, _COLUMNS, *drawn.shape[1:]).transpose(0, 3, 1, 4, 2)  # row, y, column, x, channel
    sheet = sheet.reshape(_ROWS * sheet.shape[1], _COLUMNS * sheet.shape[3], sheet.shape[4])
    Image.fromarray(sheet.squeeze(-1) if sheet.shape[-1] == 1 else sheet).save(path)
