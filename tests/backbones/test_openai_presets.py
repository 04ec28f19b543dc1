"""Presets of the released iDDPM and ADM networks: their size, what they tell, and when they do not fit."""

from dataclasses import replace

import pytest
from openai_configurations import CIFAR, FILE, TINY, configured, shapes_of

from cfs_explore.backbones.checkpoint import build_on_meta
from cfs_explore.backbones.nets.openai_unet import Architecture, OpenAIUNet
from cfs_explore.backbones.openai_presets import PRESETS
from cfs_explore.backbones.openai_shapes import read_architecture
from cfs_explore.errors import BackboneError

#: As in the papers and the file names, in millions.
RELEASED_MILLIONS = {
    "cifar10_uncond_50M_500K": 52.5,
    "cifar10_uncond_vlb_50M_500K": 52.5,
    "imagenet64_uncond_100M_1500K": 121,
    "imagenet64_uncond_vlb_100M_1500K": 121,
    "imagenet64_cond_270M_250K": 273,
    "lsun_uncond_100M_1200K_bs128": 113.7,
    "lsun_uncond_100M_2400K_bs64": 113.7,
    "64x64_diffusion": 296,
    "128x128_diffusion": 422,
    "256x256_diffusion": 554,
    "256x256_diffusion_uncond": 553,
    "512x512_diffusion": 559,
    "lsun_bedroom": 553,
    "lsun_cat": 553,
    "lsun_horse": 553,
    "lsun_horse_nodropout": 553,
}

#: Widths of the released networks: image size and base width -> channels at each resolution (paper tables).
RELEASED_LEVELS = {
    (32, 128): (128, 256, 256, 256),
    (64, 128): (128, 256, 384, 512),
    (64, 192): (192, 384, 576, 768),
    (256, 128): (128, 128, 256, 256, 512, 512),
    (128, 256): (256, 256, 512, 768, 1024),
    (256, 256): (256, 256, 512, 512, 1024, 1024),
    (512, 256): (128, 256, 256, 512, 512, 1024, 1024),
}


@pytest.mark.parametrize(("family", "preset"), [(f, name) for f, presets in PRESETS.items() for name in presets])
def test_released_networks_have_their_published_size_and_read_back(family, preset):
    arguments = PRESETS[family][preset]
    size, width = arguments["image_size"], arguments["num_channels"]
    levels = RELEASED_LEVELS[size, width]
    attends = {int(side) for side in arguments["attention_resolutions"].split(",")}
    architecture = Architecture(
        in_channels=3,
        out_channels=6,
        num_channels=width,
        level_channels=levels,
        num_res_blocks=arguments["num_res_blocks"],
        attention_levels=tuple(i for i in range(len(levels)) if size >> i in attends),
        num_classes=1000 if arguments["class_cond"] else None,
        use_scale_shift_norm=arguments["use_scale_shift_norm"],
        resblock_updown=family == "guided-diffusion",
        conv_resample=True,
    )
    network = build_on_meta(OpenAIUNet, replace(architecture, num_heads=1))
    millions = sum(p.numel() for p in network.parameters()) / 1e6
    assert millions == pytest.approx(RELEASED_MILLIONS[preset], abs=0.5)
    read = read_architecture(shapes_of(architecture), FILE)
    assert read == architecture
    config = configured({}, family, read, preset=preset)
    assert config.image_size == size
    assert all(channels % config.architecture.heads(channels) == 0 for channels in levels[-2:])


def test_presets_tell_heads_attention_order_and_rescaling():
    cifar = configured({}, architecture=CIFAR, preset="cifar10_uncond_50M_500K")
    assert cifar.architecture.heads(256) == 4 and cifar.rescale_timesteps and cifar.diffusion_steps == 4000
    assert cifar.noise_schedule == "cosine" and not cifar.architecture.use_new_attention_order
    assert PRESETS["guided-diffusion"]["64x64_diffusion"]["use_new_attention_order"]
    assert not PRESETS["improved-diffusion"]["imagenet64_cond_270M_250K"]["rescale_timesteps"]


def test_settings_override_the_preset():
    config = configured({"noise_schedule": "linear"}, architecture=CIFAR, preset="cifar10_uncond_50M_500K")
    assert config.noise_schedule == "linear" and config.diffusion_steps == 4000


def test_a_number_of_heads_overrides_the_head_channels_of_a_preset():
    net = replace(
        TINY,
        num_channels=256,
        level_channels=(256, 256, 512, 512, 1024, 1024),
        num_res_blocks=2,
        attention_levels=(3, 4, 5),
        resblock_updown=True,
    )
    assert configured({}, "guided-diffusion", net, preset="lsun_cat").architecture.heads(512) == 8
    assert configured({"num_heads": 4}, "guided-diffusion", net, preset="lsun_cat").architecture.heads(512) == 4


def test_a_preset_of_other_weights_contradicts_them():
    with pytest.raises(BackboneError, match=r"num_channels is 128 in the preset cifar10_uncond_50M_500K.* have 32"):
        configured({}, preset="cifar10_uncond_50M_500K")


def test_a_preset_of_the_other_family_is_refused_and_says_so():
    with pytest.raises(BackboneError, match="lsun_cat belongs to guided-diffusion, but these are weights of improved"):
        configured({}, preset="lsun_cat")


def test_an_unknown_preset_suggests_the_closest():
    with pytest.raises(BackboneError, match=r"no preset 'cifar10_uncond_50M'\. Did you mean cifar10_uncond_50M_500K"):
        configured({}, preset="cifar10_uncond_50M")
