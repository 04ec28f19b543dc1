"""Which families exist, and how a path or hub id becomes a backbone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from cfs_explore.backbones import (
    dit_diffusers,
    dit_family,
    edm_family,
    flow_transformer,
    latent_unet,
    openai_unets,
    score_sde,
    unet2d,
    uvit_family,
)
from cfs_explore.backbones.base import Backbone
from cfs_explore.backbones.locate import CHECKPOINTS, locate
from cfs_explore.backbones.request import Request, read_settings
from cfs_explore.errors import BackboneError
from cfs_explore.families import FAMILIES


@dataclass(frozen=True)
class Family:
    """One kind of network; what it is called and which files it comes in stands in ``families.py``.

    Attributes:
        recognise: whether a file or folder looks like one, by its class name, or by its keys and shapes; takes which of
            its weights are wanted, or None; may raise BackboneError for a file that cannot be read at all.
        load: a Request -> a Backbone.
    """

    recognise: Callable[[Path, str | None], bool]
    load: Callable[[Request], Backbone]


#: A new family is one file, one line here and one in ``families.py``.
LOADERS: dict[str, Family] = {
    "unet2d": Family(unet2d.recognise, unet2d.load),
    "improved-diffusion": Family(openai_unets.recognise_improved, openai_unets.load_improved),
    "guided-diffusion": Family(openai_unets.recognise_guided, openai_unets.load_guided),
    "edm": Family(edm_family.recognise, edm_family.load),
    "score-sde": Family(score_sde.recognise, score_sde.load),
    "u-vit": Family(uvit_family.recognise, uvit_family.load),
    "dit": Family(dit_family.recognise, dit_family.load),
    "dit-diffusers": Family(dit_diffusers.recognise, dit_diffusers.load),
    "latent-unet": Family(latent_unet.recognise, latent_unet.load),
    "flow-transformer": Family(flow_transformer.recognise, flow_transformer.load),
}


#: Parts of a path that name no backbone: a bundle's folder, networks of a pipeline, what `cfs-explore train` writes.
_SAME_FOR_ALL = ("/", "backbone", "transformer", "unet", "uvit.safetensors")


def load_backbone(
    path_or_hub_id: str | Path,
    family: str | None = None,
    device: str | torch.device | None = None,
    *,
    schedule: str | None = None,
    preset: str | None = None,
    vae: str | None = None,
    label: int | None = None,
    weights: str | None = None,
) -> Backbone:
    """Load a frozen diffusion network.

    What is not given here is read from a YAML file beside a checkpoint file and of its name (``model.pt`` and
    ``model.yaml``), which may hold ``family``, ``schedule``, ``preset``, ``vae``, ``label``, ``weights`` and the
    network's own constructor arguments by their original names.

    Args:
        path_or_hub_id: local file or folder, or ``owner/name`` on the Hugging Face hub (needs a network).
        family: a key of ``FAMILIES``; recognised from the files when None.
        device: torch device; CUDA where there is one, else the CPU.
        schedule: noise schedule by name, for weights that come without one.
        preset: name of a published configuration, where the family has presets.
        vae: folder or hub id of the autoencoder, for networks in latent space that come without one.
        label: class that a class-conditional network is given; None means the null class where there is one.
        weights: which weights of a training checkpoint: an entry of the file, a variant, or a folder beside the others;
            None means the averaged (EMA) ones where there are some.

    Raises:
        BackboneError: when nothing is there, the family is unknown, or the weights do not load.
    """
    source = locate(path_or_hub_id)
    settings = read_settings(source)
    named = settings.pop("family", None)
    family = family or named
    if family is not None and family not in FAMILIES:
        raise BackboneError(f"There is no backbone family {family!r}. Known: {_known()}.")
    given = {"schedule": schedule, "preset": preset, "vae": vae, "label": label, "weights": weights}
    beside = {key: settings.pop(key, None) for key in given}
    options = {key: beside[key] if value is None else value for key, value in given.items()}
    entry = LOADERS[_recognise(source, family, options["weights"])]
    return entry.load(Request(source, _name(path_or_hub_id), device_of(device), settings=settings, **options))


def device_of(name: str | None) -> torch.device:
    """The torch device of this name; None: a GPU where there is one, else the CPU.

    Raises:
        BackboneError: there is no such device on this machine.
    """
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise BackboneError(f"There is no device {name!r} on this machine. Give cpu, cuda or cuda:1.") from error
    return device


def _recognise(source: Path, family: str | None, weights: str | None) -> str:
    """The family's key: the named one if the files agree, else the only one that they fit."""
    fitting = [key for key, entry in LOADERS.items() if entry.recognise(source, weights)]
    if family is not None:
        if family not in fitting:
            looks = f" It looks like {' or '.join(fitting)}." if fitting else ""
            raise BackboneError(f"{source} does not hold a {family} backbone.{looks} Known: {_known()}.")
        return family
    if not fitting and source.is_file() and not source.name.lower().endswith(CHECKPOINTS):
        raise BackboneError(
            f"{source.name} ends as no file with weights does: allowed are {', '.join(CHECKPOINTS)}. If it holds "
            "weights, rename it."
        )
    if not fitting:
        raise BackboneError(f"{source} is not a backbone of a known family. Known: {_known()}.")
    if len(fitting) > 1:
        raise BackboneError(f"{source} may be {' or '.join(fitting)}: name its family. Known: {_known()}.")
    return fitting[0]


def _known() -> str:
    return "; ".join(f"{key} ({description})" for key, description in FAMILIES.items())


def _name(path_or_hub_id: str | Path) -> str:
    """The file's or folder's name, or its parent's where that says nothing."""
    parts = [p for p in Path(path_or_hub_id).parts if p not in _SAME_FOR_ALL]
    return parts[-1] if parts else str(path_or_hub_id)
