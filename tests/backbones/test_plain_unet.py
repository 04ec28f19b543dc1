"""The network that stands for diffusers' UNet2DModel: the same numbers to the last bit, and diffusers for the rest."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler, EDMEulerScheduler, UNet2DModel

from cfs_explore.backbones import load_backbone
from cfs_explore.backbones.diffusers_schedule import read_scheduler
from cfs_explore.backbones.nets.plain_unet import PlainUNet
from cfs_explore.backbones.nets.plain_unet_config import Architecture, read_architecture
from cfs_explore.locations import BUNDLES

TINY = {
    "sample_size": 8, "in_channels": 1, "out_channels": 1, "layers_per_block": 1, "block_out_channels": (8, 16),
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D"), "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    "norm_num_groups": 4, "attention_head_dim": 4,
}  # fmt: skip
KNOWN = {
    "attention": {},
    "one head": {"attention_head_dim": None},
    "odd width, no attention": {
        "block_out_channels": (12, 16, 24),
        "down_block_types": ("DownBlock2D",) * 3,
        "up_block_types": ("UpBlock2D",) * 3,
        "add_attention": False,
        "layers_per_block": 2,
    },
    "ddpm-cifar10-32": {"downsample_padding": 0, "freq_shift": 1, "flip_sin_to_cos": False, "norm_eps": 1e-6},
    "classes": {"num_class_embeds": 5, "out_channels": 2, "in_channels": 2},
    "rectangle in [0, 1]": {"sample_size": (8, 12), "center_input_sample": True, "time_embedding_dim": 20},
}
UNKNOWN = {
    "time in random frequencies": {"time_embedding_type": "fourier"},
    "scale and shift": {"resnet_time_scale_shift": "scale_shift"},
    "resnets that resize": {"downsample_type": "resnet", "upsample_type": "resnet"},
    "another activation": {"act_fn": "gelu"},
    "no middle": {"mid_block_type": None},
    "other blocks": {"down_block_types": ("DownBlock2D", "SkipDownBlock2D")},
    "times as classes": {"class_embed_type": "timestep"},
    "an option of a later version": {"rotary": True},
}


def pair(options):
    """diffusers' network and ours, from the same state of the random numbers."""
    torch.manual_seed(3)
    theirs = UNet2DModel(**TINY | options).eval()
    torch.manual_seed(3)
    return theirs, PlainUNet(read_architecture(theirs.config)).eval()


@pytest.mark.parametrize("options", KNOWN.values(), ids=KNOWN)
def test_names_first_weights_and_outputs_are_those_of_diffusers(options):
    theirs, ours = pair(options)
    wanted, found = theirs.state_dict(), ours.state_dict()
    assert set(found) == set(wanted)
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    side = theirs.config.sample_size
    shape = (theirs.config.in_channels, *((side, side) if isinstance(side, int) else side))
    last = torch.channels_last  # as a run has it
    for count, layout in ((1, last), (3, torch.contiguous_format), (64, torch.contiguous_format), (64, last)):
        for network in (theirs, ours):
            network.to(memory_format=layout)
        x, t = torch.randn(count, *shape).contiguous(memory_format=layout), torch.randint(0, 1000, (count,))
        labels = torch.randint(0, 5, (count,)) if theirs.config.num_class_embeds else None
        for times in (t, t * 0.01 - 3.0):
            with torch.inference_mode():
                assert torch.equal(ours(x, times, labels), theirs(x, times, labels, return_dict=False)[0])


def test_defaults_are_those_of_diffusers():
    theirs, own = UNet2DModel().config, Architecture()
    for name in Architecture.__dataclass_fields__:
        assert tuple(np.atleast_1d(getattr(own, name))) == tuple(np.atleast_1d(theirs[name])), name
    assert read_architecture({"_class_name": "UNet2DModel"}) == own


@pytest.mark.parametrize("options", UNKNOWN.values(), ids=UNKNOWN)
def test_other_options_are_left_to_diffusers(options):
    assert read_architecture(TINY | options) is None


def test_a_folder_with_other_options_loads_with_diffusers(save_unet):
    scheduler = {"_class_name": "DDPMScheduler"}
    assert type(load_backbone(save_unet(scheduler), device="cpu").module) is PlainUNet
    other = load_backbone(save_unet(scheduler, resnet_time_scale_shift="scale_shift"), device="cpu")
    assert type(other.module) is UNet2DModel and len(other.taps()) > 5


@pytest.mark.parametrize("bundle", ["digits", "digits-narrow", "cifar10-ddpm", "cifar10-edm"])
def test_bundled_backbones_have_the_fingerprints_and_taps_of_their_maps(bundle):
    manifest = json.loads((BUNDLES / bundle / "manifest.json").read_text())
    backbone = load_backbone(BUNDLES / bundle / "backbone", device="cpu")
    assert type(backbone.module) is PlainUNet
    assert backbone.fingerprint == manifest["backbone"]["fingerprint"]
    assert [tap.to_dict() for tap in backbone.taps()] == manifest["taps"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"beta_schedule": "squaredcos_cap_v2"},
        {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
        {"beta_schedule": "sigmoid"},
        {"num_train_timesteps": 100, "beta_end": 0.2},
        {"rescale_betas_zero_snr": True},
        {"trained_betas": [0.1, 0.2, 0.3]},
    ],
)
def test_schedules_are_those_of_diffusers_to_the_last_bit(options):
    wanted = DDPMScheduler(**options).alphas_cumprod.double().numpy()
    found = read_scheduler({"_class_name": "DDPMScheduler", **options}, centers_input=False)
    assert np.array_equal(found.schedule.alphas_cumprod, wanted)


@pytest.mark.parametrize("given", [{}, {"sigma_min": 0.01, "sigma_max": 50.0, "sigma_data": 0.4}])
def test_sigmas_are_those_of_diffusers(given):
    theirs = EDMEulerScheduler(**given).config
    assert read_scheduler({"_class_name": "EDMEulerScheduler", **given}, centers_input=False).schedule.reach == (
        read_scheduler(dict(theirs) | {"_class_name": "EDMEulerScheduler"}, centers_input=False).schedule.reach
    )


@pytest.mark.parametrize("bundle", ["digits/backbone", "cifar10-edm/backbone", "cifar10-uvit/backbone"])
def test_bundled_backbones_load_without_the_heavy_libraries(bundle):
    """What a run or the probe waits for before its first forward."""
    code = """
import sys
from cfs_explore import pipeline
from cfs_explore.backbones import load_backbone
load_backbone(sys.argv[1], device="cpu").taps()
heavy = ("diffusers", "transformers", "torch._dynamo", "sympy", "scipy", "sklearn", "torchvision", "datasets", "umap")
print(*[name for name in heavy if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(BUNDLES / bundle)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
