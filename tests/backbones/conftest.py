"""Networks whose output is prescribed, so that what a conditioning makes of it has a known right answer."""

from types import SimpleNamespace

import pytest
import torch

from cfs_explore.backbones.diffusers_schedule import read_scheduler
from cfs_explore.backbones.network import Network
from cfs_explore.backbones.unet2d import as_network


class Prescribed(torch.nn.Module):
    """Returns ``answer(x, t)`` and remembers what it was given."""

    def __init__(self, answer, side: int = 4):
        super().__init__()
        self.answer = answer
        self.config = SimpleNamespace(sample_size=side, in_channels=1, center_input_sample=False)
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.given = None

    def forward(self, x, t, class_labels=None, return_dict=True):
        self.given = (x, t)
        return (self.answer(x, t),)


@pytest.fixture(scope="session")
def prescribed_backbone():
    """A UNet2DModel's backbone around a prescribed network under a scheduler config."""

    def make(scheduler: dict, answer, *, centers_input: bool = False) -> Network:
        return as_network(Prescribed(answer), read_scheduler(scheduler, centers_input=centers_input), "prescribed")

    return make


@pytest.fixture
def clean_and_noise():
    """x0 in [-1, 1] and e ~ N(0, I), (5, 1, 4, 4)."""
    generator = torch.Generator().manual_seed(0)
    x0 = torch.rand(5, 1, 4, 4, generator=generator) * 2 - 1
    return x0, torch.randn(5, 1, 4, 4, generator=generator)


@pytest.fixture(scope="session")
def save_vae(tmp_path_factory):
    """Write a tiny random AutoencoderKL as a diffusers folder; gives the folder."""
    from diffusers import AutoencoderKL

    def save(*, seed: int = 0, safe: bool = True, **changes):
        config = {"block_out_channels": (8, 8), "norm_num_groups": 4, "latent_channels": 4}
        blocks = {
            "down_block_types": ("DownEncoderBlock2D",) * len(changes.get("block_out_channels", (8, 8))),
            "up_block_types": ("UpDecoderBlock2D",) * len(changes.get("block_out_channels", (8, 8))),
        }
        torch.manual_seed(seed)
        folder = tmp_path_factory.mktemp("vaes") / "vae"
        AutoencoderKL(**(config | blocks | changes)).save_pretrained(folder, safe_serialization=safe)
        return folder

    return save
