"""diffusers ``UNet2DConditionModel`` networks in latent space, with the empty prompt: Stable Diffusion 1, 2, SDXL."""

from __future__ import annotations

from pathlib import Path

import torch

from cfs_explore.backbones.arguments import chosen_class
from cfs_explore.backbones.autoencoder import load_autoencoder
from cfs_explore.backbones.conditions import Call, Texts
from cfs_explore.backbones.diffusers_folder import find_model, folder_notes, load_model, scheduler_config
from cfs_explore.backbones.diffusers_schedule import read_scheduler
from cfs_explore.backbones.network import Network
from cfs_explore.backbones.prompt import STABLE_DIFFUSION, STABLE_DIFFUSION_XL, Encoder, Prompt, empty_prompt
from cfs_explore.backbones.request import Request
from cfs_explore.backbones.unet2d import unet_sites
from cfs_explore.errors import BackboneError

#: SDXL is conditioned on six numbers: the height and width of the image, where it was cropped, and its target size.
_SIZES = 6

#: Conditioning on more than text and size.
_OTHER_CONDITIONING = ("class_embed_type", "num_class_embeds", "encoder_hid_dim_type", "time_cond_proj_dim")


def recognise(source: Path, weights: str | None) -> bool:
    """Whether a folder holds a ``UNet2DConditionModel``, directly or as the ``unet`` of a pipeline."""
    return find_model(source, "UNet2DConditionModel", weights) is not None


def load(request: Request) -> Network:
    """Load from a diffusers pipeline folder, or from its ``unet/`` beside the other parts.

    The autoencoder is the pipeline's own unless the request names one.

    Raises:
        BackboneError: naming the file or choice that is missing, or what else the network is conditioned on.
    """
    from diffusers import UNet2DConditionModel

    chosen_class(request, None)
    home = find_model(request.source, "UNet2DConditionModel", request.weights)
    module, notes = load_model(UNet2DConditionModel, home, request.weights)
    shape = _latent_shape(module, home)
    conditioning = read_scheduler(
        scheduler_config(request.source, home, request.schedule), centers_input=bool(module.config.center_input_sample)
    )
    encoder = _encoder(module, home)
    prompt = empty_prompt(encoder).to(request.device)
    autoencoder = load_autoencoder(request.vae or home.parent, shape, request.device)
    image_shape = autoencoder.image_shape
    return Network(
        module.to(request.device),
        conditioning,
        family="latent-unet",
        name=request.name,
        input_shape=shape,
        sites=unet_sites(module),
        fresh=lambda: type(module).from_config(module.config),
        conditions=Texts(home, prompt, lambda each: _call(each, image_shape), encoder),
        autoencoder=autoencoder,
        notes=(*folder_notes(request.source, home), *notes, prompt.note),
    )


def _latent_shape(module: torch.nn.Module, home: Path) -> tuple[int, int, int]:
    """(C, H, W) of the latents; BackboneError for a network that is conditioned on more than text."""
    config = module.config
    others = [f"{key} = {config[key]}" for key in _OTHER_CONDITIONING if config[key] is not None]
    if config.addition_embed_type not in (None, "text_time"):
        others.append(f"addition_embed_type = {config.addition_embed_type}")
    if config.in_channels != config.out_channels:
        others.append(f"{config.in_channels} input channels for {config.out_channels} output channels")
    if others:
        raise BackboneError(
            f"{home} is conditioned on more than a prompt ({'; '.join(others)}), as networks for inpainting or "
            "upscaling are. Give a text-to-image network, such as Stable Diffusion 1.5, 2.1 or SDXL base."
        )
    side = config.sample_size
    if side is None:
        raise BackboneError(f"{home / 'config.json'} has no sample_size; add the latent side of its training.")
    height, width = (side, side) if isinstance(side, int) else side
    return config.in_channels, height, width


def _encoder(module: torch.nn.Module, home: Path) -> Encoder:
    config = module.config
    width = config.cross_attention_dim
    width = width if isinstance(width, int) else width[0]
    if config.addition_embed_type is None:
        return Encoder(home, module, STABLE_DIFFUSION, width=width, pooled_width=None)
    pooled = config.projection_class_embeddings_input_dim - _SIZES * config.addition_time_embed_dim
    return Encoder(home, module, STABLE_DIFFUSION_XL, width=width, pooled_width=pooled)


def _call(prompt: Prompt, image_shape: tuple[int, int, int]) -> Call:
    """Calls the network with the prompt and, for SDXL, with an uncropped image of the native resolution."""
    _, height, width = image_shape

    def call(network: torch.nn.Module, latents: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        tokens, pooled = prompt.for_batch(len(latents))
        sizes = torch.tensor([height, width, 0, 0, height, width], dtype=tokens.dtype, device=tokens.device)
        added = None if pooled is None else {"text_embeds": pooled, "time_ids": sizes.expand(len(latents), -1)}
        return network(latents, t, encoder_hidden_states=tokens, added_cond_kwargs=added, return_dict=False)[0]

    return call
