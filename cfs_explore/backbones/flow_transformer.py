"""diffusers flow-matching transformers in latent space: Stable Diffusion 3 and Flux, with the empty prompt."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from cfs_explore.backbones.arguments import chosen_class
from cfs_explore.backbones.autoencoder import load_autoencoder
from cfs_explore.backbones.conditioning import Conditioning, flow
from cfs_explore.backbones.conditions import Call, Texts
from cfs_explore.backbones.diffusers_folder import find_model, folder_notes, load_model, read_json, scheduler_config
from cfs_explore.backbones.locate import locate
from cfs_explore.backbones.network import Network
from cfs_explore.backbones.prompt import FLUX, STABLE_DIFFUSION_3, Encoder, Prompt, empty_prompt
from cfs_explore.backbones.request import Request
from cfs_explore.errors import BackboneError

_SD3, _FLUX = "SD3Transformer2DModel", "FluxTransformer2DModel"

#: Flux sees the latents in squares of this side, a token each.
_PACKED = 2

#: Steps of training where the scheduler does not say.
_TRAIN_STEPS = 1000

_GUIDED = "It is guidance-distilled, and runs at a guidance of 1: none."
_THIRDS = ("encoder", "middle", "decoder")


def recognise(source: Path, weights: str | None) -> bool:
    """Whether a folder holds one of the transformers, directly or as the ``transformer`` of a pipeline."""
    return any(find_model(source, name, weights) is not None for name in (_SD3, _FLUX))


def load(request: Request) -> Network:
    """Load from a diffusers pipeline folder, or from its ``transformer/`` beside the other parts.

    The autoencoder is the pipeline's own unless the request names one.

    Raises:
        BackboneError: naming the file or choice that is missing.
    """
    import diffusers

    chosen_class(request, None)
    kind = next(name for name in (_SD3, _FLUX) if find_model(request.source, name, request.weights) is not None)
    home = find_model(request.source, kind, request.weights)
    module, notes = load_model(getattr(diffusers, kind), home, request.weights)
    config = module.config
    if config.out_channels not in (None, config.in_channels):
        raise BackboneError(
            f"{home} takes {config.in_channels} channels and gives {config.out_channels}: it is conditioned on an "
            "image besides the prompt. Give a text-to-image network."
        )
    text = STABLE_DIFFUSION_3 if kind == _SD3 else FLUX
    widths = {"width": config.joint_attention_dim, "pooled_width": config.pooled_projection_dim}
    encoder = Encoder(home, module, text, **widths)
    prompt = empty_prompt(encoder).to(request.device)
    vae = request.vae or home.parent
    shape = (config.in_channels, *[config.sample_size] * 2) if kind == _SD3 else _packed_shape(config.in_channels, vae)
    conditioning = read_flow(scheduler_config(request.source, home, request.schedule), in_steps=kind == _SD3)
    guided = kind == _FLUX and config.guidance_embeds
    call = _call_sd3 if kind == _SD3 else functools.partial(_call_flux, guided=guided)
    return Network(
        module.to(request.device),
        conditioning,
        family="flow-transformer",
        name=request.name,
        input_shape=shape,
        sites=transformer_sites(module),
        fresh=lambda: type(module).from_config(config),
        conditions=Texts(home, prompt, call, encoder),
        autoencoder=load_autoencoder(vae, shape, request.device),
        activation=image_tokens,
        notes=(*folder_notes(request.source, home), *notes, prompt.note, *([_GUIDED] if guided else [])),
    )


def read_flow(config: dict, *, in_steps: bool) -> Conditioning:
    """Conditioning of a flow-matching scheduler's configuration.

    x = (1 - s) x0 + s e, and the network gives dx/ds = e - x0 (Lipman et al. 2023; Esser et al. 2024). The scheduler's
    ``shift`` decides at which s a sampler steps, not what s means, so it is ignored here. A clean image (s = 0) and
    pure noise (s = 1) have no finite log-SNR; s goes from the first training step to the last but one.

    Args:
        config: the content of ``scheduler_config.json``.
        in_steps: the network takes s as a training step, from 0 to 1000; otherwise s itself.

    Raises:
        BackboneError: for a scheduler that is not one of flow matching from image to noise.
    """
    name = config.get("_class_name", "")
    if not name.startswith("FlowMatch") or config.get("invert_sigmas"):
        raise BackboneError(
            f"The scheduler {name or 'without _class_name'} does not describe flow matching from image to noise, "
            "or has invert_sigmas. Use the pipeline's own FlowMatchEulerDiscreteScheduler, or `schedule: flow-1000`."
        )
    steps = config.get("num_train_timesteps", _TRAIN_STEPS)
    return flow(1 / steps, 1 - 1 / steps, time_scale=float(steps) if in_steps else 1.0)


def transformer_sites(module: torch.nn.Module) -> dict[str, tuple[str, str]]:
    """Name -> (region, kind): the embedding of the patches, and every block by the third of the depth it stands in."""
    blocks = [
        f"{group}.{i}"
        for group in ("transformer_blocks", "single_transformer_blocks")
        for i in range(len(getattr(module, group, ())))
    ]
    embedding = "pos_embed" if module.config._class_name == _SD3 else "x_embedder"
    regions = {name: (_THIRDS[3 * i // len(blocks)], "block") for i, name in enumerate(blocks)}
    return {embedding: ("input", "conv")} | regions


def image_tokens(_tap: str, output: Any) -> torch.Tensor:
    """The image's tokens (B, tokens, C); blocks give (text tokens, image tokens)."""
    return output[1] if isinstance(output, tuple) else output


def _packed_shape(channels: int, vae: str | Path) -> tuple[int, int, int]:
    """(C, H, W) of Flux's latents: the network fits any size, so that of the autoencoder's training is taken."""
    source = locate(vae)
    home = find_model(source, "AutoencoderKL", folders=(".", "vae"))
    if home is None:
        raise BackboneError(f"{source} holds no AutoencoderKL, neither itself nor in vae/: give `vae`, its folder.")
    config = read_json(home / "config.json")
    side = config.get("sample_size", 0) // 2 ** (len(config.get("block_out_channels", ())) - 1)
    if side < _PACKED or side % _PACKED:
        raise BackboneError(
            f"{home / 'config.json'} must give sample_size, the image side of its training, with latents of an even "
            f"side; got {config.get('sample_size')}."
        )
    return channels // _PACKED**2, side, side


def _call_sd3(prompt: Prompt) -> Call:
    def call(network: torch.nn.Module, latents: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        tokens, pooled = prompt.for_batch(len(latents))
        return network(latents, tokens, pooled, t, return_dict=False)[0]

    return call


def _call_flux(prompt: Prompt, *, guided: bool) -> Call:
    """Calls the network with the latents packed 2 x 2 into tokens, which carry their row and column."""

    def call(network: torch.nn.Module, latents: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        tokens, pooled = prompt.for_batch(len(latents))
        packed = functional.pixel_unshuffle(latents, _PACKED)  # (B, 4C, rows, columns)
        rows, columns = (torch.arange(n, dtype=s.dtype, device=s.device) for n in packed.shape[2:])
        output = network(
            packed.flatten(2).transpose(1, 2),
            encoder_hidden_states=tokens,
            pooled_projections=pooled,
            timestep=s,
            img_ids=functional.pad(torch.cartesian_prod(rows, columns), (1, 0)),  # (tokens, 3): always 0, row, column
            txt_ids=torch.zeros(tokens.shape[1], 3, dtype=s.dtype, device=s.device),
            guidance=torch.ones_like(s) if guided else None,
            return_dict=False,
        )[0]
        return functional.pixel_shuffle(output.transpose(1, 2).unflatten(2, packed.shape[2:]), _PACKED)

    return call
