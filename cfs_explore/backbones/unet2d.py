"""diffusers ``UNet2DModel`` networks, from a pipeline folder or a bare network folder."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from cfs_explore.backbones.arguments import class_to_tell
from cfs_explore.backbones.conditioning import Conditioning
from cfs_explore.backbones.diffusers_folder import find_model, load_model, scheduler_config
from cfs_explore.backbones.diffusers_schedule import read_scheduler
from cfs_explore.backbones.network import Network
from cfs_explore.backbones.request import Request
from cfs_explore.errors import BackboneError

_SITES = re.compile(
    r"conv_in|conv_act|(down_blocks|up_blocks)\.\d+\.(resnets|attentions|downsamplers|upsamplers)\.\d+"
    r"|(down_blocks|up_blocks)\.\d+\.resnet_(down|up)|mid_block\.(resnets|attentions)\.\d+"
)
_REGIONS = {"conv_in": "input", "down_blocks": "encoder", "mid_block": "middle", "up_blocks": "decoder"}


def recognise(source: Path) -> bool:
    """Whether a folder holds a ``UNet2DModel``, directly or as the ``unet`` of a pipeline."""
    return find_model(source, "UNet2DModel") is not None


def load(request: Request) -> Network:
    """Load from a diffusers pipeline folder (``unet/``, ``scheduler/``) or a bare ``UNet2DModel`` folder.

    Raises:
        BackboneError: naming the file or choice that is missing.
    """
    from diffusers import UNet2DModel

    home = find_model(request.source, "UNet2DModel")
    module = load_model(UNet2DModel, home)
    if module.config.sample_size is None:
        raise BackboneError(f"{home / 'config.json'} has no sample_size; add the image side of its training.")
    config = scheduler_config(request.source, home, request.schedule)
    conditioning = read_scheduler(config, centers_input=bool(module.config.center_input_sample))
    return as_network(module.to(request.device), conditioning, request.name, _class_label(module, request))


def as_network(module: torch.nn.Module, conditioning: Conditioning, name: str, label: int | None = None) -> Network:
    """A ``UNet2DModel`` with the conditioning that its scheduler implies, and a class if it wants one."""
    side = module.config.sample_size
    height, width = (side, side) if isinstance(side, int) else side

    def call(network: torch.nn.Module, inputs: torch.Tensor, native: torch.Tensor) -> torch.Tensor:
        labels = None if label is None else torch.full((len(inputs),), label, device=inputs.device)
        return network(inputs, native, class_labels=labels, return_dict=False)[0]

    return Network(
        module,
        conditioning,
        family="unet2d",
        name=name,
        input_shape=(module.config.in_channels, height, width),
        sites=unet_sites(module),
        fresh=lambda: type(module).from_config(module.config),
        call=call,
        identity=() if label is None else (f"label {label}",),
    )


def unet_sites(module: torch.nn.Module) -> dict[str, tuple[str, str]]:
    """Name -> (region, kind) of the sites of a diffusers UNet."""
    return {
        name: (_REGIONS.get(name.split(".")[0], "output"), _kind(name))
        for name, _ in module.named_modules()
        if _SITES.fullmatch(name)
    }


def _class_label(module: torch.nn.Module, request: Request) -> int | None:
    """The class to tell a class-conditional network; these have no null class."""
    if module.class_embedding is None:
        return class_to_tell(request, None)[0]
    if not isinstance(module.class_embedding, torch.nn.Embedding):
        kind = module.config.class_embed_type
        raise BackboneError(f"{request.source} is conditioned on {kind} embeddings, not on classes.")
    return class_to_tell(request, module.config.num_class_embeds)[0]


def _kind(name: str) -> str:
    for part, kind in (
        ("resnet_down", "downsampler"),
        ("resnet_up", "upsampler"),
        ("resnets", "resnet"),
        ("attentions", "attention"),
        ("downsamplers", "downsampler"),
        ("upsamplers", "upsampler"),
    ):
        if part in name:
            return kind
    return "conv"
