"""diffusers ``DiTTransformer2DModel`` networks in latent space, on the null class unless ``label`` is given."""

from __future__ import annotations

from pathlib import Path

import torch

from cfs_explore.backbones.arguments import chosen_class
from cfs_explore.backbones.autoencoder import load_autoencoder
from cfs_explore.backbones.conditions import Call, Classes
from cfs_explore.backbones.diffusers_folder import find_model, folder_notes, load_model, read_json, scheduler_config
from cfs_explore.backbones.diffusers_schedule import read_scheduler
from cfs_explore.backbones.network import Network
from cfs_explore.backbones.request import Request

_CLASS = "DiTTransformer2DModel"

#: What the class was called when DiT's own weights were published, beside other networks; this name distinguishes it.
_FORMER_CLASS, _NORM = "Transformer2DModel", "ada_norm_zero"

_THIRDS = ("encoder", "middle", "decoder")
_NOTE = "Its step is embedded as in diffusers, at frequencies up to 7 % below those of DiT's original code."


def recognise(source: Path, weights: str | None) -> bool:
    """Whether a folder holds such a transformer, directly or as the ``transformer`` of a pipeline."""
    return _find(source, weights) is not None


def load(request: Request) -> Network:
    """Load from a diffusers pipeline folder, or from its ``transformer/`` beside the other parts.

    The autoencoder is the pipeline's own unless the request names one.

    Raises:
        BackboneError: naming the file or choice that is missing.
    """
    import diffusers

    home = _find(request.source, request.weights)
    module, notes = load_model(getattr(diffusers, _CLASS), home, request.weights)
    config = module.config
    count = config.num_embeds_ada_norm
    label, label_notes = chosen_class(request, count + 1, count)
    shape = (config.in_channels, config.sample_size, config.sample_size)
    conditioning = read_scheduler(scheduler_config(request.source, home, request.schedule), centers_input=False)

    return Network(
        module.to(request.device),
        conditioning,
        family="dit-diffusers",
        name=request.name,
        input_shape=shape,
        sites=dit_sites(len(module.transformer_blocks)),
        fresh=lambda: type(module).from_config(config),
        conditions=Classes(request.source, count + 1, label, count, _caller),
        autoencoder=load_autoencoder(request.vae or home.parent, shape, request.device),
        notes=(*folder_notes(request.source, home), *notes, _NOTE, *label_notes),
    )


def _caller(label: int) -> Call:
    def call(network: torch.nn.Module, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        labels = torch.full((len(x),), label, device=x.device)
        return network(x, t, class_labels=labels, return_dict=False)[0]

    return call


def _find(source: Path, weights: str | None) -> Path | None:
    """The transformer's folder, under the class's name or the one that it had; None where there is none."""
    home = find_model(source, _CLASS, weights)
    if home is not None:
        return home
    former = find_model(source, _FORMER_CLASS, weights)
    return former if former is not None and read_json(former / "config.json").get("norm_type") == _NORM else None


def dit_sites(blocks: int) -> dict[str, tuple[str, str]]:
    """Name -> (region, kind) of the patches' embedding, and every block by the third of the depth it stands in."""
    thirds = {f"transformer_blocks.{i}": (_THIRDS[3 * i // blocks], "block") for i in range(blocks)}
    return {"pos_embed": ("input", "conv")} | thirds
