"""Which families exist, and how a path or hub id becomes a backbone."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from cfs_explore.backbones import unet2d
from cfs_explore.backbones.base import Backbone
from cfs_explore.errors import BackboneError


@dataclass(frozen=True)
class Family:
    """One kind of network: what it is, how it is recognised, how it is loaded."""

    description: str
    recognise: Callable[[Path], bool]
    load: Callable[..., Backbone]


FAMILIES: dict[str, Family] = {
    "unet2d": Family(
        "diffusers UNet2DModel: a pipeline folder, or the network's own folder",
        unet2d.recognise_unet2d,
        unet2d.load_unet2d,
    ),
}

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def load_backbone(
    path_or_hub_id: str | Path,
    family: str | None = None,
    device: str | torch.device | None = None,
    *,
    schedule: str | None = None,
) -> Backbone:
    """Load a frozen diffusion network.

    Args:
        path_or_hub_id: local folder, or ``owner/name`` on the Hugging Face hub (needs a network).
        family: a key of ``FAMILIES``; recognised from the files when None.
        device: torch device; CUDA where there is one, else the CPU.
        schedule: noise schedule by name, for a folder that holds none.

    Raises:
        BackboneError: when nothing is there, the family is unknown, or the weights do not load.
    """
    known = "; ".join(f"{key} ({entry.description})" for key, entry in FAMILIES.items())
    if family is not None and family not in FAMILIES:
        raise BackboneError(f"There is no backbone family {family!r}. Known: {known}.")
    folder = _locate(str(path_or_hub_id))
    candidates = [family] if family else [key for key, entry in FAMILIES.items() if entry.recognise(folder)]
    if not candidates:
        raise BackboneError(f"{path_or_hub_id} is not a backbone of a known family. Known: {known}.")
    entry = FAMILIES[candidates[0]]
    if not entry.recognise(folder):
        raise BackboneError(f"{path_or_hub_id} does not hold a {family} backbone. Known: {known}.")
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    return entry.load(folder, schedule=schedule, device=device, name=_name(path_or_hub_id))


def _name(path_or_hub_id: str | Path) -> str:
    """The folder's name, or its parent's where the folder is called ``backbone`` or ``unet``."""
    parts = [p for p in Path(path_or_hub_id).parts if p not in ("backbone", "unet", "/")]
    return parts[-1] if parts else str(path_or_hub_id)


def _locate(path_or_hub_id: str) -> Path:
    folder = Path(path_or_hub_id).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists() or not _HUB_ID.fullmatch(path_or_hub_id):
        raise BackboneError(f"{path_or_hub_id} is not a folder on this machine, nor a hub id of the form owner/name.")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(path_or_hub_id, allow_patterns=["*.json", "*.safetensors"]))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise BackboneError(
            f"There is no folder {path_or_hub_id}, and the hub could not be asked for it ({error}). "
            "Check the spelling, or download the model and give its folder."
        ) from error
