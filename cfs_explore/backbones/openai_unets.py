"""Checkpoints of improved-diffusion (Nichol and Dhariwal 2021) and guided-diffusion (Dhariwal and Nichol 2021)."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import nn

from cfs_explore.backbones.arguments import chosen_class
from cfs_explore.backbones.checkpoint import Checkpoint, build_on_meta, is_checkpoint, load_strict, read_checkpoint
from cfs_explore.backbones.conditioning import Conditioning, cosine_alphas_cumprod, discrete, linear_alphas_cumprod
from cfs_explore.backbones.conditions import Call, Classes
from cfs_explore.backbones.nets.openai_unet import AttentionBlock, Downsample, OpenAIUNet, ResBlock, Upsample
from cfs_explore.backbones.network import Network
from cfs_explore.backbones.openai_config import ADM_ONLY, Config, configure
from cfs_explore.backbones.openai_shapes import changes_inside_blocks, is_openai_unet, read_architecture
from cfs_explore.backbones.request import Request, read_settings

_SITES = re.compile(r"(input|output)_blocks\.\d+\.\d+|middle_block\.\d+")
_REGIONS = {"input_blocks": "encoder", "middle_block": "middle", "output_blocks": "decoder"}
_HINT = "It is a fork's changed network, or lost part of its weights, or holds something beside them."


def recognise_improved(source: Path, weights: str | None) -> bool:
    """Whether a file holds such a UNet, and neither its weights nor the settings beside it say that it is ADM's.

    ADM without ``resblock_updown`` has the same parameters, so there the settings decide: ``family``, or an argument
    that only ADM's scripts have.
    """
    checkpoint = _openai_checkpoint(source, weights)
    return checkpoint is not None and not _is_adm(checkpoint)


def recognise_guided(source: Path, weights: str | None) -> bool:
    """Whether a file holds such a UNet, and its weights or the settings beside it say that it is ADM's."""
    checkpoint = _openai_checkpoint(source, weights)
    return checkpoint is not None and _is_adm(checkpoint)


def load_improved(request: Request) -> Network:
    """Load an iDDPM checkpoint; settings in the original scripts' arguments, or a preset.

    Raises:
        BackboneError: naming the file, the setting or the parameters that are missing or do not fit.
    """
    return _load("improved-diffusion", request)


def load_guided(request: Request) -> Network:
    """Load an ADM checkpoint; as ``load_improved``."""
    return _load("guided-diffusion", request)


def _openai_checkpoint(source: Path, weights: str | None) -> Checkpoint | None:
    if not is_checkpoint(source):
        return None
    checkpoint = read_checkpoint(source, weights)
    return checkpoint if is_openai_unet(checkpoint.shapes) else None


def _is_adm(checkpoint: Checkpoint) -> bool:
    if changes_inside_blocks(checkpoint.shapes):
        return True
    settings = read_settings(checkpoint.path)
    named = settings.get("family")
    return named == "guided-diffusion" if named else any(name in settings for name in ADM_ONLY)


def _load(family: str, request: Request) -> Network:
    checkpoint = read_checkpoint(request.source, request.weights)
    config = configure(family, read_architecture(checkpoint.shapes, request.source), request)
    classes = config.architecture.num_classes
    label, _ = chosen_class(request, classes)
    module = build_on_meta(OpenAIUNet, config.architecture)
    load_strict(module, checkpoint.tensors, source=request.source, hint=_HINT)
    matched, published = conditionings(config)

    return Network(
        module.to(request.device),
        matched,
        family=family,
        name=request.name,
        input_shape=(config.architecture.in_channels, config.image_size, config.image_size),
        sites=unet_sites(module),
        fresh=lambda: OpenAIUNet(config.architecture),
        conditions=Classes(request.source, classes, label, None, _caller) if classes else None,
        published=published,
        notes=checkpoint.notes,
        identity=(repr(config),),
    )


def _caller(label: int) -> Call:
    return lambda network, inputs, t: network(inputs, t, torch.full((len(inputs),), label, device=inputs.device))


def conditionings(config: Config) -> tuple[Conditioning, Conditioning | None]:
    """How the network is conditioned on its level: as in its training, and as by the paper's code where that differs.

    With ``rescale_timesteps`` it was trained on t * 1000 / T, and the paper's code hands it the raw t (theory 1).
    """
    build = {"linear": linear_alphas_cumprod, "cosine": cosine_alphas_cumprod}[config.noise_schedule]
    abar = build(config.diffusion_steps)
    prediction = "sample" if config.predict_xstart else "epsilon"
    raw = discrete(abar, prediction)
    if not config.rescale_timesteps:
        return raw, None
    return discrete(abar, prediction, time_scale=1000.0 / config.diffusion_steps), raw


def unet_sites(module: OpenAIUNet) -> dict[str, tuple[str, str]]:
    """Name -> (region, kind) of every module of the input, middle and output blocks."""
    return {
        name: ("input" if name == "input_blocks.0.0" else _REGIONS[name.split(".")[0]], _kind(member))
        for name, member in module.named_modules()
        if _SITES.fullmatch(name)
    }


def _kind(member: nn.Module) -> str:
    if isinstance(member, ResBlock):
        return {0.5: "downsampler", 1: "resnet", 2: "upsampler"}[member.change]
    return {AttentionBlock: "attention", Downsample: "downsampler", Upsample: "upsampler"}.get(type(member), "conv")
