"""Arrays on their way to a device; those for a GPU may be put into pinned memory, from which it copies by itself."""

from __future__ import annotations

import numpy as np
import torch


def pinned(values: np.ndarray, device: torch.device) -> np.ndarray | torch.Tensor:
    """The same numbers in pinned memory where they are for a GPU and there is such memory, else as they are.

    Pinning is a copy, too: it pays in a thread beside the forwards.
    """
    if device.type != "cuda":
        return values
    try:
        with torch.cuda.device(device):  # a thread begins on the first GPU, and would use memory there
            return torch.from_numpy(np.ascontiguousarray(values)).pin_memory()
    except RuntimeError:  # the system gives no more of it
        return values


def on_device(values: np.ndarray | torch.Tensor, device: torch.device) -> torch.Tensor:
    """The numbers on a device; out of pinned memory they are copied while this process goes on, which keeps ``values``
    meanwhile."""
    tensor = values if isinstance(values, torch.Tensor) else torch.from_numpy(np.ascontiguousarray(values))
    return tensor.to(device, non_blocking=device.type == "cuda" and tensor.is_pinned())
