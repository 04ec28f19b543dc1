"""A digest of weights and configuration: two runs with equal fingerprints used the same network."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import torch

from cfs_explore.levels import Schedule


def fingerprint_module(module: torch.nn.Module, schedule: Schedule, identity: Sequence[str] = ()) -> str:
    """16 hex characters over every named weight, the noise schedule, and what else decides the numbers."""
    digest = hashlib.blake2b(digest_size=8)
    update_with_weights(digest, module)
    for field in fields(schedule):
        digest.update(np.asarray(getattr(schedule, field.name), dtype=np.float64).tobytes())
    for text in identity:
        digest.update(text.encode())
    return digest.hexdigest()


def update_with_weights(digest: hashlib.blake2b, module: torch.nn.Module) -> None:
    """Add every named weight of a module to a digest, as float32."""
    for name, value in sorted(module.state_dict().items()):
        digest.update(f"{name}{tuple(value.shape)}".encode())
        digest.update(value.detach().float().cpu().contiguous().numpy())
