"""Spatial pooling of an activation into a snapshot (theory 2)."""

from __future__ import annotations

import torch

from cfs_explore.contracts import VARIANCE_FLOOR
from cfs_explore.errors import TapError


def pool(activation: torch.Tensor) -> torch.Tensor:
    """z = [mean ; sqrt(max(var, 1e-6))] over space, with the population variance (theory 2).

    The variance is taken around the mean in a second pass: exact where mean^2 >> var, and on a CPU several times
    faster than ``torch.var_mean``.

    Args:
        activation: (B, C, H, W), or (B, tokens, C) without special tokens.

    Returns:
        float32 tensor (B, 2C).

    Raises:
        TapError: for an activation of another rank.
    """
    values = positions(activation)
    mean = values.mean(dim=2)
    variance = (values - mean.unsqueeze(2)).square_().mean(dim=2)
    return torch.cat([mean, variance.clamp_min_(VARIANCE_FLOOR).sqrt_()], dim=1)


def positions(activation: torch.Tensor) -> torch.Tensor:
    """An activation, as ``pool`` takes it, by channel and position: float32 (B, C, positions), row by row.

    Raises:
        TapError: for an activation of another rank.
    """
    if activation.ndim == 4:
        return activation.float().flatten(2)
    if activation.ndim == 3:
        return activation.float().transpose(1, 2)
    raise TapError(f"A tap must give (B, C, H, W) or (B, tokens, C); got shape {tuple(activation.shape)}.")
