"""A digest of weights and configuration: two runs with equal fingerprints used the same network."""

from __future__ import annotations

import hashlib
from dataclasses import fields

import numpy as np
import torch

from cfs_explore.levels import Schedule


def fingerprint_module(module: torch.nn.Module, schedule: Schedule) -> str:
    """16 hex characters over every named weight and the noise schedule."""
    digest = hashlib.blake2b(digest_size=8)
    for name, value in sorted(module.state_dict().items()):
        digest.update(f"{name}{tuple(value.shape)}".encode())
        digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
    for field in fields(schedule):
        digest.update(np.asarray(getattr(schedule, field.name), dtype=np.float64).tobytes())
    return digest.hexdigest()
