"""DiT checkpoints (Peebles and Xie 2023), a .pt file; latents of an autoencoder that the user names."""

from __future__ import annotations

from collections.abc import Mapping
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
from cfs_explore.backbones.autoencoder import load_autoencoder
from cfs_explore.backbones.checkpoint import build_on_meta, is_checkpoint, load_strict, read_checkpoint
from cfs_explore.backbones.conditioning import discrete, linear_alphas_cumprod
from cfs_explore.backbones.conditions import Call, Classes
from cfs_explore.backbones.nets.dit import Architecture, DiT
from cfs_explore.backbones.network import Network
from cfs_explore.backbones.request import Request
from cfs_explore.errors import BackboneError

_HINT = "It is incomplete, or a fork's changed network."
_STEPS = 1000
_NOTE = f"Read as DiT's noise prediction on the linear schedule of {_STEPS} steps; weights do not say (SiT's differ)."
_THIRDS = ("encoder", "middle", "decoder")

#: Size of the network -> width, blocks, attention heads (table 1 of the paper).
_SIZES = {"S": (384, 12, 6), "B": (768, 12, 12), "L": (1024, 24, 16), "XL": (1152, 28, 16)}
PRESETS: dict[str, dict[str, Any]] = {
    f"DiT-{size}/{patch}": {"patch_size": patch, "hidden_size": width, "depth": depth, "num_heads": heads}
    for size, (width, depth, heads) in _SIZES.items()
    for patch in (2, 4, 8)
}
PRESETS |= {
    "DiT-XL/2-256x256": PRESETS["DiT-XL/2"] | {"input_size": 32, "num_classes": 1000, "learn_sigma": True},
    "DiT-XL/2-512x512": PRESETS["DiT-XL/2"] | {"input_size": 64, "num_classes": 1000, "learn_sigma": True},
}
#: Parameters that determine the size of the network, and how many axes they have.
_AXES = {
    "x_embedder.proj.weight": 4,
    "pos_embed": 3,
    "blocks.0.mlp.fc1.weight": 2,
    "final_layer.linear.weight": 2,
    "y_embedder.embedding_table.weight": 2,
}

#: Arguments that leave no trace in the weights, and those that are ignored or read elsewhere.
_NEEDED, _IGNORED = ("num_heads",), ("class_dropout_prob", "diffusion_steps", "noise_schedule")


def recognise(source: Path, weights: str | None) -> bool:
    """Whether a file holds parameters of such names, intact or not."""
    if not is_checkpoint(source):
        return False
    shapes = read_checkpoint(source, weights).shapes
    modulated = any(name.startswith("blocks.") and ".adaLN_modulation." in name for name in shapes)
    embedders = {"x_embedder", "t_embedder", "y_embedder"} & {name.split(".")[0] for name in shapes}
    return modulated and len(embedders) > 1


def load(request: Request) -> Network:
    """Load a state dict or a training checkpoint.

    Raises:
        BackboneError: naming the argument, the autoencoder, the class or the parameters that are missing.
    """
    checkpoint = read_checkpoint(request.source, request.weights)
    _check_schedule(request)
    architecture, null = read_architecture(checkpoint.shapes, request)
    label, label_notes = chosen_class(request, architecture.label_rows, null)
    if request.vae is None:
        raise BackboneError(
            f"{request.source} works on latents: give `vae`, the folder or hub id of its autoencoder; that of the "
            "released networks is stabilityai/sd-vae-ft-ema."
        )
    shape = (architecture.in_channels, architecture.input_size, architecture.input_size)
    autoencoder = load_autoencoder(request.vae, shape, request.device)
    module = load_strict(build_on_meta(DiT, architecture), checkpoint.tensors, source=request.source, hint=_HINT)
    return Network(
        module.to(request.device),
        discrete(linear_alphas_cumprod(_STEPS)),
        family="dit",
        name=request.name,
        input_shape=shape,
        sites=dit_sites(module),
        fresh=lambda: DiT(architecture),
        conditions=Classes(request.source, architecture.label_rows, label, null, _caller),
        autoencoder=autoencoder,
        notes=(*checkpoint.notes, _NOTE, *label_notes),
        identity=(repr(architecture),),
    )


def read_architecture(shapes: Mapping[str, tuple[int, ...]], request: Request) -> tuple[Architecture, int | None]:
    """The network according to its weights, with the rest from the request, and its null class, if any.

    Raises:
        BackboneError: as ``constructor_arguments``, and when parameters that determine its size are missing.
    """
    check_axes(request, shapes, _AXES, _HINT)
    width, channels, patch, _ = shapes["x_embedder.proj.weight"]
    out = shapes["final_layer.linear.weight"][0] // patch**2
    if out not in (channels, 2 * channels):
        raise BackboneError(
            f"{request.source} takes {channels} channels and gives {out}; a network that predicts noise gives "
            f"{channels}, or {2 * channels} with learned variances."
        )
    hidden, rows = shapes["blocks.0.mlp.fc1.weight"][0], shapes["y_embedder.embedding_table.weight"][0]
    classes = _classes(rows, request)
    found = {
        "input_size": round(shapes["pos_embed"][1] ** 0.5) * patch,
        "patch_size": patch,
        "in_channels": channels,
        "hidden_size": width,
        "depth": count_blocks(shapes, "blocks"),
        "mlp_ratio": hidden / width,
        "num_classes": classes,
        "learn_sigma": out != channels,
    }
    values = constructor_arguments(request, found, _NEEDED, PRESETS, ignored=_IGNORED)
    architecture = Architecture(
        **{name: values[name] for name in ("input_size", "patch_size", "in_channels", "hidden_size", "depth")},
        out_channels=out,
        num_heads=check_heads(values["num_heads"], width),
        hidden_dim=hidden,
        label_rows=rows,
    )
    return architecture, classes if classes < rows else None


def dit_sites(module: DiT) -> dict[str, tuple[str, str]]:
    """Name -> (region, kind) of the patches' embedding, every block by its third of the depth, and the last layer."""
    depth = module.architecture.depth
    blocks = {f"blocks.{i}": (_THIRDS[3 * i // depth], "block") for i in range(depth)}
    return {"x_embedder": ("input", "conv")} | blocks | {"final_layer": ("output", "block")}


def _caller(label: int) -> Call:
    return lambda network, x, t: network(x, t, torch.full((len(x),), label, device=x.device))


def _classes(rows: int, request: Request) -> int:
    """Classes of a table of so many rows: the last is the null class, unless the request says that there is none."""
    dropout = request.settings.get("class_dropout_prob")
    classes = request.settings.get("num_classes", PRESETS.get(request.preset, {}).get("num_classes"))
    has_null = classes != rows if dropout is None else dropout != 0
    return rows - 1 if has_null else rows


def _check_schedule(request: Request) -> None:
    schedule, steps = request.settings.get("noise_schedule", "linear"), request.settings.get("diffusion_steps", _STEPS)
    if (schedule, steps) != ("linear", _STEPS) or request.schedule not in (None, "linear", "ddpm-linear-1000"):
        raise BackboneError(
            f"DiT is trained on the linear schedule of {_STEPS} steps; {request.source} is said to have another "
            f"({request.schedule or schedule}, {steps} steps). Leave it out."
        )
