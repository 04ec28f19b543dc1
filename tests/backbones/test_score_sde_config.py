"""What a Score-SDE checkpoint's keys tell, what is asked for, and what is refused."""

from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DModel

from cfs_explore.backbones.checkpoint import build_on_meta, load_strict
from cfs_explore.backbones.nets.ncsnpp import Architecture, NCSNpp
from cfs_explore.backbones.nets.song_unet import SongUNet
from cfs_explore.backbones.request import Request
from cfs_explore.backbones.score_sde_config import configure
from cfs_explore.backbones.score_sde_keys import HINT
from cfs_explore.backbones.score_sde_presets import PRESETS
from cfs_explore.errors import BackboneError

FILE = Path("checkpoint_24.pth")
TINY = Architecture(
    name="ncsnpp", num_channels=3, nf=16, ch_mult=(1, 2, 2), num_res_blocks=2, attention=(1,), resblock_type="biggan",
    embedding_type="fourier", progressive="none", progressive_input="residual", fir=True, skip_rescale=True,
    centered=False, scale_by_sigma=True,
)  # fmt: skip
#: Settings that complete TINY.
COMPLETE = {"sde": "vesde", "image_size": 32, "centered": False, "scale_by_sigma": True, "skip_rescale": True,
            "sigma_min": 0.01, "sigma_max": 50, "num_scales": 10}  # fmt: skip
#: Another network, which tells less: the image's resolutions in convolutions, under a VP SDE.
DDPM = replace(TINY, name="ddpm", nf=32, resblock_type="ddpm", embedding_type="positional", progressive_input="none",
               fir=False, skip_rescale=False, centered=True, scale_by_sigma=False)  # fmt: skip
COMPLETE_DDPM = COMPLETE | {"sde": "vpsde", "continuous": False, "name": "ddpm"}
COMPLETE_DDPM |= {"centered": True, "scale_by_sigma": False, "skip_rescale": False}


def weights_of(architecture: Architecture) -> dict[str, torch.Tensor]:
    state = build_on_meta(NCSNpp, architecture, torch.zeros(2)).state_dict()
    return {name: value for name, value in state.items() if name != "sigmas"}


def filled(architecture: Architecture, weights: dict[str, torch.Tensor]) -> torch.nn.Module:
    network = build_on_meta(NCSNpp, architecture, torch.zeros(2))
    return load_strict(network, weights | {"sigmas": torch.zeros(2)}, source=FILE, hint=HINT)


def configured(settings: dict, architecture: Architecture = TINY, *, weights=None, preset=None, schedule=None, **more):
    request = Request(FILE, "network", torch.device("cpu"), preset=preset, schedule=schedule, settings=settings)
    return configure(request, (weights_of(architecture) if weights is None else weights) | more)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"progressive": "output_skip", "progressive_input": "input_skip"},
        {"progressive_input": "none", "fir": False, "embedding_type": "positional", "attention": (0, 2)},
        {"progressive_input": "none", "fir": True},
        {"fir": False, "num_res_blocks": 1, "attention": ()},
        {"ch_mult": (2,), "attention": (0,), "progressive_input": "none"},
        {"ch_mult": (3, 3), "num_channels": 1, "attention": (1,), "num_res_blocks": 3},
    ],
    ids=str,
)
def test_keys_and_shapes_tell_the_architecture(changes):
    architecture = replace(TINY, **changes)
    settings = {"fir": architecture.fir, "continuous": architecture.embedding_type == "fourier"}
    assert configured(COMPLETE | settings, architecture).architecture == architecture


def test_ddpm_networks_are_distinguished_by_name():
    assert configured(COMPLETE_DDPM, DDPM).architecture == DDPM
    other = replace(DDPM, name="ncsnpp", skip_rescale=True)
    settings = COMPLETE_DDPM | {"name": "ncsnpp", "skip_rescale": True}
    assert configured(settings, other).architecture == other


@pytest.mark.parametrize("preset", PRESETS)
def test_published_networks_read_back(preset):
    said = PRESETS[preset]
    rest = {"resblock_type": "ddpm", "embedding_type": "positional", "progressive": "none", "fir": False,
            "progressive_input": "none", "skip_rescale": False} | said  # fmt: skip
    sides = [said["image_size"] >> level for level in range(len(said["ch_mult"]))]
    rest["attention"] = (sides.index(16),)
    architecture = Architecture(**{field.name: rest[field.name] for field in fields(Architecture)})
    config = configured({}, architecture, preset=preset)
    assert config.architecture == architecture
    assert (config.sde, config.continuous, config.image_size) == (said["sde"], said["continuous"], said["image_size"])
    assert len(config.sigmas) == said["num_scales"]
    assert (float(config.sigmas[0]), float(config.sigmas[-1])) == pytest.approx((said["sigma_max"], 0.01))
    assert preset.startswith(said["sde"].removesuffix("sde") + "/")
    with pytest.raises(BackboneError, match=r"another network than its configuration \(preset"):
        configured({}, replace(architecture, num_res_blocks=3), preset=preset)


def size(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_published_networks_have_the_size_of_their_other_implementations():
    def ours(preset):
        given = {"progressive": "none", "attention": (1,)} | PRESETS[preset]
        return size(build_on_meta(NCSNpp, Architecture(**{f.name: given[f.name] for f in fields(Architecture)}),
                                  torch.zeros(2)))  # fmt: skip

    cifar = build_on_meta(SongUNet, 32, 3, 3, embedding_type="fourier", encoder_type="residual",
                          channel_mult_noise=2, resample_filter=[1, 3, 3, 1])  # fmt: skip
    assert ours("ve/cifar10_ncsnpp_continuous") == size(cifar) + 128  # the frequencies: no parameter in the other
    assert ours("vp/cifar10_ddpmpp") == size(build_on_meta(SongUNet, 32, 3, 3))
    kinds = [f"{'Attn' if i == 4 else ''}Skip" for i in range(7)]
    with torch.device("meta"):
        faces = UNet2DModel(
            sample_size=256, block_out_channels=(128, 128, 256, 256, 256, 256, 256), norm_num_groups=None,
            time_embedding_type="fourier", down_block_types=tuple(f"{kind}DownBlock2D" for kind in kinds),
            up_block_types=tuple(f"{kind}UpBlock2D" for kind in reversed(kinds)),
        )  # fmt: skip
    given = PRESETS["ve/celebahq_256_ncsnpp_continuous"] | {"attention": (4,)}
    own = build_on_meta(NCSNpp, Architecture(**{f.name: given[f.name] for f in fields(Architecture)}), torch.zeros(2))
    assert size(own) == size(faces)


# What is said beside the file


@pytest.mark.parametrize("name", list(COMPLETE))
def test_a_missing_field_is_asked_for_by_name(name):
    settings = {key: value for key, value in COMPLETE.items() if key != name}
    with pytest.raises(BackboneError, match=rf"keys: {name} \(.*checkpoint_24\.yaml.*ve/cifar10_ncsnpp_continuous"):
        configured(settings)


@pytest.mark.parametrize("name", ["continuous", "name"])
def test_fields_that_only_ddpm_networks_leave_open_are_asked_for(name):
    settings = {key: value for key, value in COMPLETE_DDPM.items() if key != name}
    with pytest.raises(BackboneError, match=rf"keys: {name} \("):
        configured(settings, DDPM)


def test_everything_missing_is_asked_for_at_once():
    with pytest.raises(BackboneError, match=r"sde .*image_size .*centered .*scale_by_sigma .*num_scales"):
        configured({})


def test_the_original_configuration_may_stand_in_its_sections():
    model = {"sigma_min": 0.01, "sigma_max": 50, "num_scales": 10, "nf": 16, "ch_mult": "(1, 2, 2)", "name": "NCSNpp",
             "attn_resolutions": [16], "scale_by_sigma": True, "skip_rescale": True, "fir_kernel": [1, 3, 3, 1],
             "nonlinearity": "swish", "ema_rate": 0.999, "resblock_type": "BigGAN"}  # fmt: skip
    settings = {"training": {"sde": "vesde", "continuous": True, "batch_size": 128}, "model": model,
                "data": {"image_size": 32, "centered": False, "num_channels": 3}}  # fmt: skip
    assert configured(settings).architecture == TINY
    with pytest.raises(BackboneError, match=r"attention is \(1,\), not \(2,\)"):
        configured(settings | {"model": model | {"attn_resolutions": [8]}})


def test_a_schedule_that_is_named_is_the_sde():
    settings = {key: value for key, value in COMPLETE_DDPM.items() if key != "sde"} | {"continuous": True}
    assert configured(settings, DDPM, schedule="subvpsde").sde == "subvpsde"
    with pytest.raises(BackboneError, match="sde must be one of vesde, vpsde, subvpsde; got 'linear'"):
        configured(settings, DDPM, schedule="linear")


def test_settings_override_the_preset():
    settings = COMPLETE | {"sigma_max": 40}
    architecture = replace(TINY, nf=128, ch_mult=(1, 2, 2, 2), num_res_blocks=4)
    assert float(configured(settings, architecture, preset="ve/cifar10_ncsnpp_continuous").sigmas[0]) == pytest.approx(
        40
    )


def test_an_unknown_preset_is_refused():
    with pytest.raises(BackboneError, match=r"no Score-SDE preset 'cifar10'.*vp/cifar10_ddpmpp"):
        configured({}, preset="cifar10")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"nf": 32}, "nf is 16, not 32"),
        ({"ch_mult": [1, 2]}, r"ch_mult is \(1, 2, 2\), not \(1, 2\)"),
        ({"num_res_blocks": 4}, "num_res_blocks is 2, not 4"),
        ({"num_channels": 1}, "num_channels is 3, not 1"),
        ({"resblock_type": "ddpm"}, "resblock_type is 'biggan'"),
        ({"embedding_type": "positional"}, "embedding_type is 'fourier'"),
        ({"progressive_input": "input_skip"}, "progressive_input is 'residual'"),
        ({"progressive": "output_skip"}, "progressive is 'none'"),
        ({"fir": False}, "fir is True"),
        ({"continuous": False}, "continuous is True"),
        ({"name": "ddpm"}, "name is 'ncsnpp'"),
        ({"centered": 1}, "centered must be true or false; got 1"),
        ({"image_size": "32"}, "image_size must be side of the images; got '32'"),
        ({"image_size": 30}, "image_size must be divisible by 4"),
        ({"sigma_max": -1}, "sigma_max must be a positive number"),
        ({"sigma_max": 0.001}, "sigma_min must be below sigma_max; got 0.01 and 0.001"),
        ({"beta_min": "low"}, "beta_min must be a positive number"),
        ({"beta_max": 0.05}, "beta_min must be below beta_max"),
        ({"attn_resolutions": 16}, "attn_resolutions must be a list of whole numbers; got 16"),
        ({"ch_mult": "1,2,2"}, "ch_mult must be a list of whole numbers"),
        ({"nonlinearity": "relu"}, "nonlinearity must be swish"),
        ({"fir_kernel": [1, 2, 1]}, r"fir_kernel must be \(1, 3, 3, 1\)"),
        ({"sde": "vpsde"}, "vpsde needs `centered: true`"),
    ],
)
def test_what_contradicts_the_file_or_makes_no_sense_is_named(changes, complaint):
    with pytest.raises(BackboneError, match=complaint):
        configured(COMPLETE | changes)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"sde": "subvpsde"}, "subvpsde needs `continuous: true`"),
        ({"sde": "vesde", "continuous": True}, "continuous vesde needs a fourier embedding.*must be false"),
        ({"skip_rescale": True}, "skip_rescale is False, not True"),
    ],
)
def test_combinations_without_a_noise_level_are_refused(changes, complaint):
    with pytest.raises(BackboneError, match=complaint):
        configured(COMPLETE_DDPM | changes, DDPM)


def test_noise_levels_of_the_file_are_used_and_must_be_the_given_ones():
    levels = torch.tensor([40.0, 2.0, 0.02], dtype=torch.float64)
    settings = {key: value for key, value in COMPLETE.items() if key not in ("sigma_min", "sigma_max", "num_scales")}
    assert torch.equal(configured(settings, sigmas=levels).sigmas, levels)
    with pytest.raises(BackboneError, match=r"sigma_max is 40\.0, not 50; sigma_min is 0\.02, not 0\.01; num_sc"):
        configured(COMPLETE, sigmas=levels)
    for wrong in (levels.flip(0), torch.tensor([1.0, 0.0]), torch.tensor(1.0), torch.zeros(0)):
        with pytest.raises(BackboneError, match="`sigmas` must be a list of noise levels from the highest"):
            configured(settings, sigmas=wrong)


# Files that are damaged


@pytest.mark.parametrize("architecture", [TINY, DDPM], ids=["ncsnpp", "ddpm"])
def test_every_missing_tensor_and_layer_is_named(architecture):
    weights = weights_of(architecture)
    settings = COMPLETE if architecture is TINY else COMPLETE_DDPM
    for name in weights:
        left = {key: value for key, value in weights.items() if key != name}
        with pytest.raises(BackboneError, match=name if name != "all_modules.0.W" else "all_modules.0"):
            configured(settings, weights=left)
    count = 1 + max(int(name.split(".")[1]) for name in weights)
    for i in range(count - 1):
        left = {key: value for key, value in weights.items() if not key.startswith(f"all_modules.{i}.")}
        with pytest.raises(BackboneError, match=rf"it has nothing of all_modules\.{i}\."):
            configured(settings, weights=left)
    for i in range(1, count - 2):
        left = {key: value for key, value in weights.items() if int(key.split(".")[1]) < i}
        with pytest.raises(BackboneError, match=r"The file is incomplete, or another network's\."):
            filled(configured(settings, weights=left).architecture, left)


def test_tensors_of_shapes_that_no_layer_has_are_named():
    weights = weights_of(TINY)
    for name in [name for name in weights if name.count(".") == 3][::7]:
        with pytest.raises(BackboneError, match=name):
            configured(COMPLETE, weights=weights | {name: torch.zeros(2, 2, 2)})
    with pytest.raises(BackboneError, match=r"channels at its resolutions, no multiples of 16"):
        configured(COMPLETE, weights=weights | {"all_modules.4.Conv_0.weight": torch.zeros(1, 16, 3, 3)})


def test_many_absent_layers_are_counted_and_not_listed():
    weights = weights_of(TINY) | {"all_modules.10000000000.weight": torch.zeros(1)}
    with pytest.raises(BackboneError, match=r"nothing of all_modules\.\d+, .* and [\d]+ more layers"):
        configured(COMPLETE, weights=weights)
