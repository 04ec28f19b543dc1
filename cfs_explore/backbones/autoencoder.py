"""The autoencoder between images and latents: diffusers ``AutoencoderKL`` folders (Rombach et al. 2022)."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch

from cfs_explore.backbones.diffusers_folder import find_model, load_model
from cfs_explore.backbones.fingerprint import update_with_weights
from cfs_explore.backbones.locate import locate
from cfs_explore.errors import BackboneError


class LatentAutoencoder:
    """Images in [-1, 1] <-> latents (z - shift) * scale, z the posterior's mean, so that encoding is deterministic.

    Args:
        module: an ``AutoencoderKL``, on its device.
        latent_shape: (C, H, W) of the network's input.

    Attributes:
        image_shape: (C, H, W) of the images.
        fingerprint: digest of the weights and of how latents are scaled.
    """

    def __init__(self, module: torch.nn.Module, latent_shape: tuple[int, int, int]):
        config = module.config
        _, height, width = latent_shape
        factor = downsampling(module)
        self.module = module.eval().requires_grad_(False)
        self.image_shape = (config.in_channels, height * factor, width * factor)
        shift = torch.tensor(config.latents_mean or [config.shift_factor or 0.0])
        self._shift = shift.view(1, -1, 1, 1).to(module.device)
        std = torch.tensor(config.latents_std or [1.0])
        self._scale = (config.scaling_factor / std).view(1, -1, 1, 1).to(module.device)
        digest = hashlib.blake2b(digest_size=8)
        update_with_weights(digest, module)
        digest.update(f"{self._shift.tolist()} {self._scale.tolist()}".encode())
        self.fingerprint = digest.hexdigest()

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """(B, *image_shape) in [-1, 1] -> latents (B, *latent_shape)."""
        return (self.module.encode(images).latent_dist.mean - self._shift) * self._scale

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """The inverse of ``encode``, up to what the latents lose."""
        return self.module.decode(latents / self._scale + self._shift, return_dict=False)[0]


def load_autoencoder(
    path_or_hub_id: str | Path, latent_shape: tuple[int, int, int], device: torch.device
) -> LatentAutoencoder:
    """Load the autoencoder of a latent network.

    Args:
        path_or_hub_id: an ``AutoencoderKL`` folder, a pipeline folder with a ``vae/``, or a hub id of either.
        latent_shape: (C, H, W) of the network's input.
        device: where to put it.

    Raises:
        BackboneError: when there is none, or its latents are not what the network takes.
    """
    from diffusers import AutoencoderKL

    source = locate(path_or_hub_id)
    home = find_model(source, "AutoencoderKL", folders=(".", "vae"))
    if home is None:
        raise BackboneError(
            f"{source} holds no AutoencoderKL, neither itself nor in vae/: give `vae`, the folder or hub id of the "
            "autoencoder that the network was trained with."
        )
    module, _ = load_model(AutoencoderKL, home)
    if module.config.latent_channels != latent_shape[0]:
        raise BackboneError(
            f"The autoencoder in {home} has {module.config.latent_channels} latent channels and the network takes "
            f"{latent_shape[0]}: give `vae`, the autoencoder that the network was trained with."
        )
    return LatentAutoencoder(module.to(device), latent_shape)


def downsampling(module: torch.nn.Module) -> int:
    """Image pixels along a side per latent pixel of an ``AutoencoderKL``."""
    return 2 ** (len(module.config.block_out_channels) - 1)
