"""Which families exist, and how a path or hub id becomes a backbone."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from cfs_explore.backbones import unet2d
from cfs_explore.backbones.base import Backbone
from cfs_explore.backbones.request import Request, read_settings
from cfs_explore.errors import BackboneError


@dataclass(frozen=True)
class Family:
    """One kind of network.

    Attributes:
        description: what it is and which files it comes in.
        recognise: whether a file or folder looks like one, by its class name, or by its keys and shapes; may raise
            BackboneError for a file that cannot be read at all.
        load: a Request -> a Backbone.
    """

    description: str
    recognise: Callable[[Path], bool]
    load: Callable[[Request], Backbone]


#: A new family is one file and one line.
FAMILIES: dict[str, Family] = {
    "unet2d": Family(
        "diffusers UNet2DModel: a pipeline folder, or the network's own folder",
        unet2d.recognise,
        unet2d.load,
    ),
}

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def load_backbone(
    path_or_hub_id: str | Path,
    family: str | None = None,
    device: str | torch.device | None = None,
    *,
    schedule: str | None = None,
    preset: str | None = None,
    vae: str | None = None,
    label: int | None = None,
) -> Backbone:
    """Load a frozen diffusion network.

    What is not given here is read from a YAML file beside a checkpoint file and of its name (``model.pt`` and
    ``model.yaml``), which may hold ``family``, ``schedule``, ``preset``, ``vae``, ``label`` and the network's own
    constructor arguments by their original names.

    Args:
        path_or_hub_id: local file or folder, or ``owner/name`` on the Hugging Face hub (needs a network).
        family: a key of ``FAMILIES``; recognised from the files when None.
        device: torch device; CUDA where there is one, else the CPU.
        schedule: noise schedule by name, for weights that come without one.
        preset: name of a published configuration, where the family has presets.
        vae: folder or hub id of the autoencoder, for networks in latent space that come without one.
        label: class that a class-conditional network is told; None means the null class where there is one.

    Raises:
        BackboneError: when nothing is there, the family is unknown, or the weights do not load.
    """
    source = _locate(str(path_or_hub_id))
    settings = read_settings(source)
    family = family or settings.pop("family", None)
    if family is not None and family not in FAMILIES:
        raise BackboneError(f"There is no backbone family {family!r}. Known: {_known()}.")
    entry = FAMILIES[_recognise(source, family)]
    given = {"schedule": schedule, "preset": preset, "vae": vae, "label": label}
    options = {key: settings.pop(key, None) if value is None else value for key, value in given.items()}
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    return entry.load(Request(source, _name(path_or_hub_id), device, settings=settings, **options))


def _recognise(source: Path, family: str | None) -> str:
    """The family's key: the named one if the files agree, else the only one that they fit."""
    fitting = [key for key, entry in FAMILIES.items() if entry.recognise(source)]
    if family is not None:
        if family not in fitting:
            looks = f" It looks like {' or '.join(fitting)}." if fitting else ""
            raise BackboneError(f"{source} does not hold a {family} backbone.{looks} Known: {_known()}.")
        return family
    if not fitting:
        raise BackboneError(f"{source} is not a backbone of a known family. Known: {_known()}.")
    if len(fitting) > 1:
        raise BackboneError(f"{source} may be {' or '.join(fitting)}: name its family. Known: {_known()}.")
    return fitting[0]


def _known() -> str:
    return "; ".join(f"{key} ({entry.description})" for key, entry in FAMILIES.items())


def _name(path_or_hub_id: str | Path) -> str:
    """The file's or folder's name, or its parent's where the folder is called ``backbone`` or ``unet``."""
    parts = [p for p in Path(path_or_hub_id).parts if p not in ("backbone", "unet", "/")]
    return parts[-1] if parts else str(path_or_hub_id)


def _locate(path_or_hub_id: str) -> Path:
    source = Path(path_or_hub_id).expanduser()
    if source.exists():
        return source
    if not _HUB_ID.fullmatch(path_or_hub_id):
        raise BackboneError(f"{path_or_hub_id} is not on this machine, nor a hub id of the form owner/name.")
    return fetch(path_or_hub_id)


def fetch(hub_id: str) -> Path:
    """The local copy of a repository on the hub, configuration and weights.

    Raises:
        BackboneError: when the hub cannot be asked or does not have it.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(hub_id, allow_patterns=["*.json", "*.safetensors", "*.txt", "*.model"]))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise BackboneError(
            f"There is no {hub_id} on this machine, and the hub could not be asked for it ({error}). "
            "Check the spelling, or download the model and give its folder."
        ) from error
