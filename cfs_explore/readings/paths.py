"""Deterministic paths through noise levels: the DDIM step, and what a path is called."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch

from cfs_explore.backbones.base import Backbone
from cfs_explore.contracts import Level

#: Levels that a name lists; longer paths are named by their ends and a digest.
_LISTED = 12


def path_name(levels: Sequence[Level]) -> str:
    """Text that tells two paths apart: every requested log-SNR, or ends, number and a digest of all."""
    if len(levels) <= _LISTED:
        return ", ".join(f"{level.requested:g}" for level in levels)
    digest = hashlib.blake2b(repr([level.requested for level in levels]).encode(), digest_size=4).hexdigest()
    return f"{levels[0].requested:g} to {levels[-1].requested:g} in {len(levels)}, {digest}"


def clean_estimate(x: torch.Tensor, eps: torch.Tensor, level: Level) -> torch.Tensor:
    """x0h = (x - b eps) / a."""
    return (x - level.b * eps) / level.a


def at_level(x0: torch.Tensor, eps: torch.Tensor, level: Level) -> torch.Tensor:
    """a x0 + b eps: with x0h and eps of another level, the DDIM step from there, in either direction."""
    return level.a * x0 + level.b * eps


def is_latent(backbone: Backbone) -> bool:
    """Latents have no bounds to be clipped to."""
    return tuple(backbone.input_shape) != tuple(backbone.image_shape)
