"""On which devices a run may be made."""

from __future__ import annotations


def usable_devices(device: str | None = None) -> list[str]:
    """Names of the devices of which any one will do, best first.

    Args:
        device: as the user named it; None for every GPU, or the CPU where there is none.

    Raises:
        BackboneError: this machine has no such device.
    """
    import torch

    from cfs_explore.backbones import device_of

    if device is not None:
        device_of(device)
        return [f"{device}:0" if device == "cuda" else str(device)]
    return [f"cuda:{index}" for index in range(torch.cuda.device_count())] or ["cpu"]
