"""diffusers ``UNet2DModel`` networks, from a pipeline folder or a bare network folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from cfs_explore.backbones.arguments import chosen_class
from cfs_explore.backbones.checkpoint import UNFIT, check_finite, misfits
from cfs_explore.backbones.conditioning import Conditioning
from cfs_explore.backbones.conditions import Call, Classes
from cfs_explore.backbones.diffusers_folder import (
    check_layers,
    find_model,
    folder_notes,
    load_model,
    read_json,
    scheduler_config,
)
from cfs_explore.backbones.diffusers_schedule import read_scheduler
from cfs_explore.backbones.folder_weights import read_weights
from cfs_explore.backbones.nets.plain_unet import PlainUNet
from cfs_explore.backbones.nets.plain_unet_config import read_architecture
from cfs_explore.backbones.network import Network
from cfs_explore.backbones.request import Request
from cfs_explore.errors import BackboneError

_SITES = re.compile(
    r"conv_in|conv_act|(down_blocks|up_blocks)\.\d+\.(resnets|attentions|downsamplers|upsamplers)\.\d+"
    r"|(down_blocks|up_blocks)\.\d+\.resnet_(down|up)|mid_block\.(resnets|attentions)\.\d+"
)
_LONGEST_SIDE = 10_000
_REGIONS = {"conv_in": "input", "down_blocks": "encoder", "mid_block": "middle", "up_blocks": "decoder"}


def recognise(source: Path, weights: str | None) -> bool:
    """Whether a folder holds a ``UNet2DModel``, directly or as the ``unet`` of a pipeline."""
    return find_model(source, "UNet2DModel", weights) is not None


def load(request: Request) -> Network:
    """Load from a diffusers pipeline folder (``unet/``, ``scheduler/``) or a bare ``UNet2DModel`` folder.

    Raises:
        BackboneError: naming the file or choice that is missing.
    """
    home = find_model(request.source, "UNet2DModel", request.weights)
    module, notes = _plain(home, request.weights) or _of_diffusers(home, request.weights)
    _check_side(module.config.sample_size, home)
    config = scheduler_config(request.source, home, request.schedule)
    conditioning = read_scheduler(config, centers_input=bool(module.config.center_input_sample))
    label, notes = _class_label(module, request), (*folder_notes(request.source, home), *notes)
    classes = None
    if label is not None:
        classes = Classes(request.source, module.config.num_class_embeds, label, None, _caller(module))
    return as_network(module.to(request.device), conditioning, request.name, classes, notes)


def _plain(home: Path, weights: str | None) -> tuple[PlainUNet, list[str]] | None:
    """The folder's network without diffusers, and notes; None where it has other options or other names than most."""
    kind = read_architecture(read_json(home / "config.json"))
    if kind is None:
        return None
    tensors, notes, *_ = read_weights(home, weights)
    check_layers(home, len(tensors))
    try:
        with torch.device("meta"):
            module = PlainUNet(kind)
        if misfits(module.state_dict(), tensors):
            return None  # diffusers reads older names of weights, and says of the rest what is wrong
        state = {name: tensor.float() for name, tensor in tensors.items()}
        module.load_state_dict(state, assign=True)
    except UNFIT:
        return None
    check_finite(state, home)
    return module, notes


def _check_side(side: object, home: Path) -> None:
    """BackboneError for what is no side of images, nor a pair of them."""
    if side is None:
        raise BackboneError(f"{home / 'config.json'} has no sample_size; add the image side of its training.")
    sides = list(side) if isinstance(side, list | tuple) else [side, side]
    if len(sides) != 2 or not all(type(n) is int and 1 <= n <= _LONGEST_SIDE for n in sides):
        raise BackboneError(
            f"{home / 'config.json'}: sample_size is {str(side)[:80]}; allowed is the side of its images, a whole "
            "number, or their height and width."
        )


def _of_diffusers(home: Path, weights: str | None) -> tuple[torch.nn.Module, list[str]]:
    from diffusers import UNet2DModel  # takes longer than torch

    return load_model(UNet2DModel, home, weights)


def as_network(
    module: torch.nn.Module,
    conditioning: Conditioning,
    name: str,
    classes: Classes | None = None,
    notes: Sequence[str] = (),
) -> Network:
    """A ``UNet2DModel``, or a ``PlainUNet``, with the conditioning of its scheduler, and its classes if any."""
    side = module.config.sample_size
    height, width = (side, side) if isinstance(side, int) else side
    plain = isinstance(module, PlainUNet)

    return Network(
        module,
        conditioning,
        family="unet2d",
        name=name,
        input_shape=(module.config.in_channels, height, width),
        sites=unet_sites(module),
        fresh=lambda: PlainUNet(module.config) if plain else type(module).from_config(module.config),
        call=_caller(module)(None),
        conditions=classes,
        notes=notes,
    )


def _caller(module: torch.nn.Module) -> Callable[[int | None], Call]:
    """A label, or None without classes -> the call of such a network."""
    options = {} if isinstance(module, PlainUNet) else {"return_dict": False}

    def caller(label: int | None) -> Call:
        def call(network: torch.nn.Module, inputs: torch.Tensor, native: torch.Tensor) -> torch.Tensor:
            labels = None if label is None else torch.full((len(inputs),), label, device=inputs.device)
            output = network(inputs, native, labels, **options)
            return output[0] if options else output

        return call

    return caller


def unet_sites(module: torch.nn.Module) -> dict[str, tuple[str, str]]:
    """Name -> (region, kind) of the sites of a diffusers UNet."""
    return {
        name: (_REGIONS.get(name.split(".")[0], "output"), _kind(name))
        for name, _ in module.named_modules()
        if _SITES.fullmatch(name)
    }


def _class_label(module: torch.nn.Module, request: Request) -> int | None:
    """The class that a class-conditional network is given; these have no null class."""
    if module.class_embedding is None:
        return chosen_class(request, None)[0]
    if not isinstance(module.class_embedding, torch.nn.Embedding):
        kind = module.config.class_embed_type
        raise BackboneError(f"{request.source} is conditioned on {kind} embeddings, not on classes.")
    return chosen_class(request, module.config.num_class_embeds)[0]


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
