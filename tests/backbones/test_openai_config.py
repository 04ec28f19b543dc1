"""iDDPM and ADM configurations: what shapes tell, released presets, and settings that are missing or wrong."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cfs_explore.backbones.checkpoint import build_on_meta
from cfs_explore.backbones.nets.openai_unet import Architecture, OpenAIUNet
from cfs_explore.backbones.openai_config import configure
from cfs_explore.backbones.openai_presets import PRESETS
from cfs_explore.backbones.openai_shapes import changes_inside_blocks, is_openai_unet, read_architecture
from cfs_explore.backbones.request import Request
from cfs_explore.errors import BackboneError

FILE = Path("model.pt")

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


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"resblock_updown": True},
        {"conv_resample": False},
        {"use_scale_shift_norm": False},
        {"num_res_blocks": 3, "attention_levels": ()},
        {"attention_levels": (0, 2), "out_channels": 3},
        {"level_channels": (64,), "attention_levels": (0,), "num_res_blocks": 2},
        {"level_channels": (32, 96), "attention_levels": (1,), "num_channels": 64, "num_classes": 7},
        {"in_channels": 1, "out_channels": 1, "resblock_updown": True, "num_res_blocks": 2},
        {"conv_resample": False, "num_res_blocks": 2, "attention_levels": (2,)},
    ],
    ids=str,
)
def test_the_shapes_of_a_network_tell_its_architecture(changes):
    architecture = replace(TINY, **changes)
    shapes = shapes_of(architecture)
    assert is_openai_unet(shapes)
    assert read_architecture(shapes, FILE) == architecture
    assert changes_inside_blocks(shapes) == architecture.resblock_updown


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
    cifar = configured({}, architecture=_cifar(), preset="cifar10_uncond_50M_500K")
    assert cifar.architecture.heads(256) == 4 and cifar.rescale_timesteps and cifar.diffusion_steps == 4000
    assert cifar.noise_schedule == "cosine" and not cifar.architecture.use_new_attention_order
    assert PRESETS["guided-diffusion"]["64x64_diffusion"]["use_new_attention_order"]
    assert not PRESETS["improved-diffusion"]["imagenet64_cond_270M_250K"]["rescale_timesteps"]


def test_settings_override_the_preset():
    config = configured({"noise_schedule": "linear"}, architecture=_cifar(), preset="cifar10_uncond_50M_500K")
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


def test_a_schedule_that_is_named_stands_before_the_settings():
    assert configured(COMPLETE, schedule="linear").noise_schedule == "linear"


@pytest.mark.parametrize("unset", [-1, None])
def test_head_channels_win_over_heads_unless_unset(unset):
    assert configured(COMPLETE | {"num_head_channels": 16}).architecture.heads(64) == 4
    assert configured(COMPLETE | {"num_heads": 2, "num_head_channels": 16}).architecture.heads(64) == 4
    assert configured(COMPLETE | {"num_heads": 2, "num_head_channels": unset}).architecture.heads(64) == 2


def test_the_decoder_may_have_its_own_number_of_heads():
    net = configured(COMPLETE | {"num_heads_upsample": 2}).architecture
    assert (net.heads(64), net.heads(64, upsampling=True)) == (4, 2)
    net = configured(COMPLETE | {"num_heads_upsample": -1}).architecture
    assert net.heads(64, upsampling=True) == 4


def test_a_thousand_steps_need_no_word_about_rescaling():
    settings = {k: v for k, v in COMPLETE.items() if k != "rescale_timesteps"} | {"diffusion_steps": 1000}
    assert not configured(settings).rescale_timesteps
    assert not configured(settings | {"rescale_timesteps": True}).rescale_timesteps


@pytest.mark.parametrize("name", [name for name in COMPLETE if name != "num_heads"])
def test_a_missing_setting_is_asked_for_by_name(name):
    settings = {key: value for key, value in COMPLETE.items() if key != name}
    with pytest.raises(BackboneError, match=rf"missing: {name}\..*model\.yaml.*cifar10_uncond_50M_500K"):
        configured(settings)


def test_all_missing_settings_are_asked_for_at_once():
    with pytest.raises(BackboneError, match="image_size, num_heads or num_head_channels, diffusion_steps") as caught:
        configured({}, "guided-diffusion")
    assert "rescale_timesteps, use_new_attention_order" in str(caught.value)
    assert "lsun_horse" in str(caught.value)


def test_unset_heads_count_as_missing():
    with pytest.raises(BackboneError, match="num_heads or num_head_channels"):
        configured(COMPLETE | {"num_heads": -1, "num_head_channels": None})


def test_an_unknown_setting_suggests_the_closest():
    with pytest.raises(
        BackboneError, match=r"'num_chanels' in the settings beside model.pt.*Did you mean num_channels"
    ):
        configured(COMPLETE | {"num_chanels": 32})


def test_training_and_sampling_arguments_are_ignored():
    extra = {"dropout": 0.3, "lr": 1e-4, "use_fp16": True, "timestep_respacing": "ddim250", "use_kl": True}
    assert configured(COMPLETE | extra) == configured(COMPLETE)


@pytest.mark.parametrize(
    ("name", "told", "found"),
    [
        ("num_channels", 64, "32"),
        ("num_res_blocks", 2, "1"),
        ("learn_sigma", False, "True"),
        ("class_cond", True, "False"),
        ("num_classes", 10, "None"),
        ("use_scale_shift_norm", False, "True"),
        ("resblock_updown", True, "False"),
        ("conv_resample", False, "True"),
        ("in_channels", 1, "3"),
        ("channel_mult", "1,2,3", "1, 2, 2"),
        ("channel_mult", "", "1, 2, 2"),
        ("attention_resolutions", "8", "16, 8"),
        ("attention_resolutions", "32,16,8", "16, 8"),
    ],
)
def test_a_setting_that_contradicts_the_weights_is_named_with_both_values(name, told, found):
    with pytest.raises(BackboneError, match=f"^{name} is .*but the weights have {found}") as caught:
        configured(COMPLETE | {name: told})
    assert str(told).replace(" ", "") in str(caught.value).replace(" ", "")


def test_a_preset_of_other_weights_contradicts_them():
    with pytest.raises(BackboneError, match=r"num_channels is 128 in the preset cifar10_uncond_50M_500K.* have 32"):
        configured({}, preset="cifar10_uncond_50M_500K")


@pytest.mark.parametrize("form", ["1,2,2", [1, 2, 2], [1.0, 2, 2]])
def test_multipliers_come_as_text_or_list(form):
    assert configured(COMPLETE | {"channel_mult": form}).architecture.level_channels == (32, 64, 64)


@pytest.mark.parametrize("form", ["16,8", [16, 8], (8, 16)])
def test_attention_resolutions_come_as_text_or_list(form):
    assert configured(COMPLETE | {"attention_resolutions": form}).architecture.attention_levels == (1, 2)


@pytest.mark.parametrize("empty", ["", None])
def test_empty_multipliers_are_the_original_ones_of_the_image_size(empty):
    assert configured({"channel_mult": empty} | COMPLETE, architecture=_cifar()).image_size == 32
    # ADM's scripts know none for 32: nothing to compare
    adm = COMPLETE | {"channel_mult": empty, "use_new_attention_order": False}
    assert configured(adm, "guided-diffusion").image_size == 32


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("image_size", "32"),
        ("image_size", 0),
        ("num_heads", 2.5),
        ("noise_schedule", "quadratic"),
        ("diffusion_steps", 10),
        ("rescale_timesteps", "yes"),
        ("rescale_timesteps", 1),
        ("attention_resolutions", "16;8"),
        ("attention_resolutions", 0.5),
        ("channel_mult", {"a": 1}),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(name, value):
    with pytest.raises(BackboneError, match=f"^{name} must be"):
        configured(COMPLETE | {name: value})


def test_a_schedule_by_an_unknown_name_is_refused():
    with pytest.raises(BackboneError, match="noise_schedule must be one of linear, cosine; `schedule` gives 'sigmoid'"):
        configured(COMPLETE, schedule="sigmoid")


@pytest.mark.parametrize("heads", [{"num_heads": 3}, {"num_head_channels": 24}, {"num_heads_upsample": 5}])
def test_heads_that_do_not_divide_the_width_are_named(heads):
    with pytest.raises(BackboneError, match=f"{next(iter(heads))} is .* must divide .* 64"):
        configured(COMPLETE | heads)


def test_an_image_size_that_cannot_be_halved_is_refused():
    with pytest.raises(BackboneError, match=r"image_size is 30 .* halves it 2 times; it must be a multiple of 4"):
        configured(COMPLETE | {"image_size": 30})


def test_a_preset_of_the_other_family_is_refused_and_says_so():
    with pytest.raises(BackboneError, match="lsun_cat is of guided-diffusion, and these are weights of improved"):
        configured({}, preset="lsun_cat")


def test_an_unknown_preset_suggests_the_closest():
    with pytest.raises(BackboneError, match=r"no preset 'cifar10_uncond_50M'\. Did you mean cifar10_uncond_50M_500K"):
        configured({}, preset="cifar10_uncond_50M")


def test_upsamplers_are_refused():
    for out_channels in (3, 6):
        with pytest.raises(BackboneError, match="super-resolution"):
            read_architecture(shapes_of(replace(TINY, in_channels=6, out_channels=out_channels)), FILE)


def test_outputs_that_are_no_noise_are_refused():
    with pytest.raises(BackboneError, match="takes 3 channels and gives 4"):
        read_architecture(shapes_of(replace(TINY, out_channels=4)), FILE)


def test_a_classifier_is_not_such_a_network():
    shapes = {name: shape for name, shape in shapes_of(TINY).items() if not name.startswith("output_blocks.")}
    assert not is_openai_unet(shapes)


def _cifar() -> Architecture:
    return replace(TINY, num_channels=128, level_channels=(128, 256, 256, 256), num_res_blocks=3)
