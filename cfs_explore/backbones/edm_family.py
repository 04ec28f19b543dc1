"""Networks of EDM (Karras et al. 2022): DDPM++, NCSN++ and ADM under VP, VE, iDDPM or EDM preconditioning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from cfs_explore.backbones.arguments import chosen_class
from cfs_explore.backbones.base import as_images
from cfs_explore.backbones.checkpoint import build_on_meta, load_strict
from cfs_explore.backbones.conditioning import Conditioning, denoiser
from cfs_explore.backbones.conditions import Call, Classes
from cfs_explore.backbones.edm_config import build_network
from cfs_explore.backbones.edm_snapshot import FAMILY, Snapshot, is_converted, read_folder, read_snapshot
from cfs_explore.backbones.nets.edm_precond import Precond, VPPrecond
from cfs_explore.backbones.network import Network
from cfs_explore.backbones.request import Request
from cfs_explore.errors import BackboneError


def recognise(source: Path, _weights: str | None) -> bool:
    """Whether it is a .pkl file, or a folder that ``edm_snapshot.convert`` wrote."""
    return is_converted(source) if source.is_dir() else source.suffix.lower() == ".pkl"


def load(request: Request) -> Network:
    """Load a snapshot, pickled or converted.

    Raises:
        BackboneError: for a file that is refused, or a class that the network does not know.
    """
    source = request.source
    snapshot = read_folder(source) if source.is_dir() else read_snapshot(source)
    module = load_strict(build_on_meta(build_network, snapshot.config, source), snapshot.tensors, source=source)
    classes, (label, label_notes) = module.label_dim, _class_label(module.label_dim, request)
    conditioning = denoiser(*module.sigmas)
    return Network(
        module.to(request.device),
        conditioning,
        family=FAMILY,
        name=request.name,
        input_shape=(module.img_channels, module.img_resolution, module.img_resolution),
        sites=edm_sites(module),
        fresh=lambda: build_network(snapshot.config, source),
        conditions=Classes(source, classes, label, None, _caller(classes)) if classes else None,
        published=_scaled_twice(conditioning) if isinstance(module, VPPrecond) else None,
        notes=(*snapshot.notes, *_notes(snapshot, module), *label_notes),
    )


def edm_sites(module: Precond) -> dict[str, tuple[str, str]]:
    """Name -> (region, kind) of every block."""
    sides = [int(name.split("x")[0]) for name in module.model.enc]
    sites = {}
    for part in ("enc", "dec"):
        for name in getattr(module.model, part):
            at, layer = name.split("_", 1)
            side = int(at.split("x")[0])
            sites[f"model.{part}.{name}"] = (_region(part, layer, side == max(sides)), _kind(layer))
    if hasattr(module.model, "out_norm"):
        sites |= {"model.out_norm": ("output", "block"), "model.out_conv": ("output", "conv")}
    return sites


def _region(part: str, layer: str, highest: bool) -> str:
    if part == "enc":
        return "input" if layer == "conv" else "encoder"
    if layer in ("in0", "in1"):
        return "middle"
    return "output" if highest and layer in ("aux_norm", "aux_conv") else "decoder"


def _kind(layer: str) -> str:
    if layer in ("down", "up"):
        return f"{layer}sampler"
    if layer == "aux_norm":
        return "block"
    return "conv" if layer == "conv" or layer.startswith("aux") else "resnet"


def _scaled_twice(conditioning: Conditioning) -> Conditioning:
    """The paper's own use of VP networks: their input, which they scale, comes already scaled (theory 1)."""

    def scaled(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return x / as_images((1 + sigma**2).sqrt())

    def eps(out, x, native, a, b):
        return (scaled(x, native) - out) / as_images(native)

    return Conditioning(conditioning.schedule, lambda x, native: (scaled(x, native), native), eps)


def _caller(count: int) -> Callable[[int | None], Call]:
    """A label -> the call with its one-hot (1, count); without one, the null class, all zeros."""

    def caller(label: int | None) -> Call:
        wanted = None if label is None else torch.nn.functional.one_hot(torch.tensor([label]), count).float()
        return lambda network, x, sigma: network(x, sigma, None if wanted is None else wanted.to(x.device))

    return caller


def _class_label(count: int, request: Request) -> tuple[int | None, list[str]]:
    """The wanted class; None for the null class, or where there are no classes; and notes."""
    if not count:
        return chosen_class(request, None)
    if request.label is None:
        return None, [f"Conditioned on the null class; `label` gives one of 0 to {count - 1}."]
    if not isinstance(request.label, int) or not 0 <= request.label < count:
        raise BackboneError(
            f"{request.source} has {count} classes: label must be 0 to {count - 1}, or nothing for the null class; "
            f"got {request.label!r}."
        )
    return request.label, []


def _notes(snapshot: Snapshot, module: Precond) -> list[str]:
    low, high = module.sigmas
    notes = [f"{snapshot.config['precond']} around {type(module.model).__name__}, sigma from {low:.3g} to {high:.4g}."]
    if snapshot.config.get("use_fp16"):
        notes.append("Trained to run in float16; computed in float32 here.")
    if snapshot.config.get("augment_dim"):
        notes.append("Trained with augmentation labels; none are given, which stands for an image as it is.")
    return notes
