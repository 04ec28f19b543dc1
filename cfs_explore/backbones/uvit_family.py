"""U-ViT (Bao et al. 2023), a .pth file: pixels, or latents of an autoencoder that the user names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from cfs_explore.backbones.arguments import (
    check_axes,
    check_heads,
    chosen_class,
    constructor_arguments,
    count_blocks,
)
from cfs_explore.backbones.autoencoder import LatentAutoencoder, load_autoencoder
from cfs_explore.backbones.checkpoint import build_on_meta, is_checkpoint, load_strict, read_checkpoint
from cfs_explore.backbones.conditioning import Conditioning, discrete, scaled_linear_alphas_cumprod
from cfs_explore.backbones.conditions import Call, Classes
from cfs_explore.backbones.nets.uvit import Architecture, UViT
from cfs_explore.backbones.network import Network, first_output, without_special_tokens
from cfs_explore.backbones.request import Request
from cfs_explore.errors import BackboneError
from cfs_explore.levels import ContinuousVP

_HINT = "It is incomplete, or a fork's changed network, such as one that is conditioned on text."

#: What networks with this many channels work on are latents.
_LATENT_CHANNELS = 4

#: The VP SDE's linear beta, its smallest time, and the network's conditioning at time 1.
BETAS, T_MIN, LAST_STEP = (0.1, 20.0), 1e-5, 999.0

#: Classes of ImageNet; a table with one row more ends with the null class.
_IMAGENET = 1000

VP_SDE, _STEPS = "vp-sde", "sd-scaled-linear-1000"

_SMALL = {"embed_dim": 512, "depth": 12, "num_heads": 8, "num_classes": -1, "schedule": VP_SDE}
_MID = {"embed_dim": 768, "depth": 16, "num_heads": 12, "num_classes": _IMAGENET, "schedule": VP_SDE}
_LARGE = {"embed_dim": 1024, "depth": 20, "num_heads": 16, "num_classes": _IMAGENET, "schedule": VP_SDE}
_LATENT_LARGE = _LARGE | {"in_chans": 4, "num_classes": _IMAGENET + 1}
_LATENT_HUGE = _LATENT_LARGE | {"embed_dim": 1152, "depth": 28, "conv": False, "schedule": _STEPS}

#: Released file -> its arguments. Of the latent ones, L was trained in continuous time and H at discrete steps.
PRESETS: dict[str, dict[str, Any]] = {
    "cifar10_uvit_small": _SMALL | {"img_size": 32, "patch_size": 2, "in_chans": 3},
    "celeba64_uvit_small": _SMALL | {"img_size": 64, "patch_size": 4, "in_chans": 3},
    "imagenet64_uvit_mid": _MID | {"img_size": 64, "patch_size": 4, "in_chans": 3},
    "imagenet64_uvit_large": _LARGE | {"img_size": 64, "patch_size": 4, "in_chans": 3},
    "imagenet256_uvit_large": _LATENT_LARGE | {"img_size": 32, "patch_size": 2},
    "imagenet256_uvit_huge": _LATENT_HUGE | {"img_size": 32, "patch_size": 2},
    "imagenet512_uvit_large": _LATENT_LARGE | {"img_size": 64, "patch_size": 4},
    "imagenet512_uvit_huge": _LATENT_HUGE | {"img_size": 64, "patch_size": 4},
}

#: Arguments that leave no trace in the weights, and those that change nothing here.
_NEEDED, _IGNORED = ("num_heads", "schedule"), ("name", "use_checkpoint")

_REGIONS = {"in_blocks": "encoder", "mid_block": "middle", "out_blocks": "decoder"}


def recognise(source: Path, weights: str | None) -> bool:
    """Whether a file holds parameters of such names, intact or not."""
    if not is_checkpoint(source):
        return False
    groups = {name.split(".")[0] for name in read_checkpoint(source, weights).shapes}
    return {"in_blocks", "mid_block", "out_blocks"} <= groups


def load(request: Request) -> Network:
    """Load a state dict or a training checkpoint.

    Raises:
        BackboneError: naming the argument, the class or the parameters that are missing or do not fit.
    """
    checkpoint = read_checkpoint(request.source, request.weights)
    architecture, schedule = read_architecture(checkpoint.shapes, request)
    classes, null = architecture.num_classes, _null_class(architecture.num_classes)
    label, label_notes = chosen_class(request, classes, null)
    shape = (architecture.in_chans, architecture.img_size, architecture.img_size)
    autoencoder = _autoencoder(request, shape) if architecture.in_chans == _LATENT_CHANNELS else None
    module = load_strict(build_on_meta(UViT, architecture), checkpoint.tensors, source=request.source, hint=_HINT)

    return Network(
        module.to(request.device),
        _SCHEDULES[schedule](),
        family="u-vit",
        name=request.name,
        input_shape=shape,
        sites=uvit_sites(module),
        fresh=lambda: UViT(architecture),
        conditions=Classes(request.source, classes, label, null, _caller) if classes else None,
        autoencoder=autoencoder,
        activation=_patch_tokens(architecture.special_tokens),
        notes=(*checkpoint.notes, *label_notes),
        identity=(repr(architecture),),
    )


def read_architecture(shapes: Mapping[str, tuple[int, ...]], request: Request) -> tuple[Architecture, str]:
    """The network according to its weights, and its schedule's name, with the rest from the request.

    Raises:
        BackboneError: as ``constructor_arguments``, and when parameters that determine its size are missing.
    """
    axes = {"patch_embed.proj.weight": 4, "pos_embed": 3, "mid_block.mlp.fc1.weight": 2}
    if "label_emb.weight" in shapes:
        axes["label_emb.weight"] = 2
    check_axes(request, shapes, axes, _HINT)
    width, channels, patch, _ = shapes["patch_embed.proj.weight"]
    hidden = shapes["mid_block.mlp.fc1.weight"][0]
    classes = shapes.get("label_emb.weight", (-1,))[0]
    found = {
        "img_size": _side(shapes, request, special=1 if classes == -1 else 2) * patch,
        "patch_size": patch,
        "in_chans": channels,
        "embed_dim": width,
        "depth": 2 * count_blocks(shapes, "in_blocks"),
        "mlp_ratio": hidden / width,
        "qkv_bias": "mid_block.attn.qkv.bias" in shapes,
        "mlp_time_embed": any(name.startswith("time_embed.") for name in shapes),
        "num_classes": classes,
        "conv": any(name.startswith("final_layer.") for name in shapes),
        "skip": any(".skip_linear." in name for name in shapes),
    }
    values = constructor_arguments(_completed(request, found), found, _NEEDED, PRESETS, ignored=_IGNORED)
    if values["schedule"] not in _SCHEDULES:
        raise BackboneError(f"schedule must be one of {', '.join(_SCHEDULES)}; got {values['schedule']!r}.")
    same = ("img_size", "patch_size", "in_chans", "embed_dim", "depth", "qkv_bias", "mlp_time_embed", "conv")
    architecture = Architecture(
        **{name: values[name] for name in same},
        num_heads=check_heads(values["num_heads"], width),
        hidden_dim=hidden,
        num_classes=None if classes == -1 else classes,
    )
    return architecture, values["schedule"]


def uvit_sites(module: UViT) -> dict[str, tuple[str, str]]:
    """Name -> (region, kind) of the patches' embedding, every block, and the last norm."""
    half = module.architecture.depth // 2
    blocks = [f"in_blocks.{i}" for i in range(half)] + ["mid_block"] + [f"out_blocks.{i}" for i in range(half)]
    sites = {name: (_REGIONS[name.split(".")[0]], "block") for name in blocks}
    return {"patch_embed": ("input", "conv")} | sites | {"norm": ("output", "block")}


def _side(shapes: Mapping[str, tuple[int, ...]], request: Request, *, special: int) -> int:
    """Patches along a side."""
    tokens = shapes["pos_embed"][1] - special
    side = round(max(tokens, 0) ** 0.5)
    if not tokens or side * side != tokens:
        raise BackboneError(
            f"{request.source} has {tokens} tokens beside its {special} for time and class, which form no square. "
            f"{_HINT}"
        )
    return side


def _completed(request: Request, found: Mapping[str, Any]) -> Request:
    """The request with its schedule among the settings, and its depth as the original code reads it."""
    settings = dict(request.settings)
    if settings.get("depth") == found["depth"] + 1:
        settings["depth"] = found["depth"]  # the paper counts the middle block, and depth // 2 is what counts
    if request.schedule is not None:
        settings["schedule"] = request.schedule
    elif request.preset is None and found["in_chans"] != _LATENT_CHANNELS:
        settings["schedule"] = VP_SDE  # all that there is for pixels; latents have seen both
    return replace(request, settings=settings)


def _null_class(classes: int | None) -> int | None:
    """Only ImageNet's table of 1001 rows has one."""
    return _IMAGENET if classes == _IMAGENET + 1 else None


def _caller(label: int) -> Call:
    return lambda network, x, t: network(x, t, torch.full((len(x),), label, device=x.device))


def _patch_tokens(special: int) -> Callable[[str, Any], torch.Tensor]:
    """The tokens of the patches, at every site; their embedding has no others."""
    within = without_special_tokens(special)
    return lambda tap, output: first_output(tap, output) if tap == "patch_embed" else within(tap, output)


def _autoencoder(request: Request, shape: tuple[int, int, int]) -> LatentAutoencoder:
    if request.vae is None:
        raise BackboneError(
            f"{request.source} works on latents: give `vae`, the folder or hub id of its autoencoder, such as "
            "stabilityai/sd-vae-ft-ema."
        )
    return load_autoencoder(request.vae, shape, request.device)


def _sde() -> Conditioning:
    """Any time in (0, 1], given to the network times 999; output the noise."""
    schedule = ContinuousVP(*BETAS, T_MIN)
    return Conditioning(schedule, lambda x, native: (x, native * LAST_STEP), lambda out, x, native, a, b: out)


def _steps() -> Conditioning:
    """Stable Diffusion's 1000 steps, by their number, which U-ViT counts from 1; output the noise."""
    own = discrete(scaled_linear_alphas_cumprod(1000))
    return Conditioning(own.schedule, lambda x, native: (x, native + 1.0), own.eps)


_SCHEDULES = {VP_SDE: _sde, _STEPS: _steps}
