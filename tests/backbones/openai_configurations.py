"""Small iDDPM and ADM architectures, the shapes of their weights, and settings that complete them."""

from dataclasses import replace
from pathlib import Path

import torch

from cfs_explore.backbones.checkpoint import build_on_meta
from cfs_explore.backbones.nets.openai_unet import Architecture, OpenAIUNet
from cfs_explore.backbones.openai_config import configure
from cfs_explore.backbones.request import Request

FILE = Path("model.pt")

TINY = Architecture(
    in_channels=3,
    out_channels=6,
    num_channels=32,
    level_channels=(32, 64, 64),
    num_res_blocks=1,
    attention_levels=(1, 2),
    num_classes=None,
    use_scale_shift_norm=True,
    resblock_updown=False,
    conv_resample=True,
)

#: What the weights of the released CIFAR-10 networks tell, as far as the presets say it.
CIFAR = replace(TINY, num_channels=128, level_channels=(128, 256, 256, 256), num_res_blocks=3)

#: Settings that complete TINY.
COMPLETE = {
    "image_size": 32,
    "num_heads": 4,
    "diffusion_steps": 4000,
    "noise_schedule": "cosine",
    "rescale_timesteps": True,
}


def shapes_of(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    network = build_on_meta(OpenAIUNet, replace(architecture, num_heads=1))
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def ask(settings: dict, *, preset: str | None = None, schedule: str | None = None) -> Request:
    return Request(FILE, "model", torch.device("cpu"), schedule=schedule, preset=preset, settings=settings)


def configured(settings: dict, family: str = "improved-diffusion", architecture: Architecture = TINY, **options):
    return configure(family, architecture, ask(settings, **options))
