"""Score-SDE checkpoints against two other implementations of its networks: EDM's and diffusers'."""

import math

import numpy as np
import pytest
import torch
import yaml
from diffusers import UNet2DModel
from original_weights import assert_close, fixture, state_dict_of
from score_sde_names import from_diffusers, from_edm, sigmas, write_checkpoint

from cfs_explore.backbones import load_backbone
from cfs_explore.backbones.nets.song_unet import SongUNet
from cfs_explore.errors import BackboneError
from cfs_explore.taps.capture import capture

VP = {"sde": "vpsde", "continuous": True, "centered": True, "scale_by_sigma": False}
VE = {"sde": "vesde", "continuous": True, "centered": False, "scale_by_sigma": True}
SAID = {"image_size": 32, "skip_rescale": True, "name": "ncsnpp"}
ORIGINALS = {"edm_vp_ddpmpp": VP | SAID | {"fir": False}, "edm_ve_ncsnpp": VE | SAID | {"fir": True}}


@pytest.fixture(scope="module")
def edm_layers():
    """Fixture name -> its weights under Score-SDE's names; not to be changed."""
    originals = {name: fixture(name) for name in ORIGINALS}
    return {name: from_edm(state_dict_of(one), list(one.config["blocks"])) for name, one in originals.items()}


@pytest.fixture
def load(tmp_path):
    """Write a training checkpoint with settings beside it, and load it."""

    def write(tensors, settings: dict, levels=None):
        levels = sigmas(0.01, 50.0, 1000) if levels is None else levels
        path = write_checkpoint(tmp_path / "checkpoint_24.pth", tensors, levels)
        path.with_suffix(".yaml").write_text(yaml.safe_dump(settings))
        return load_backbone(path, device="cpu")

    return write


@pytest.mark.parametrize("name", ORIGINALS)
def test_output_and_every_block_are_those_of_the_same_network_in_edm(load, edm_layers, name):
    original, layers = fixture(name), edm_layers[name]
    backbone = load(layers.tensors, ORIGINALS[name])
    assert backbone.family == "score-sde"
    assert backbone.input_shape == (3, 32, 32)
    x, sigma = original.tensor("input.x"), original.tensor("input.noise_cond").double()
    levels = [backbone.match(float(-2 * torch.log(s))) for s in sigma]  # an EDM network takes x0 + sigma e
    a = torch.tensor([level.a for level in levels]).view(-1, 1, 1, 1)
    blocks = {block: layers.layer_of[block] for block in original.config["blocks"]}
    with (
        torch.no_grad(),
        capture(backbone.module, list(blocks.values()), backbone.activation, stop=False) as features,
    ):
        eps = backbone.predict_eps(a * x, levels)
    noise = (x.double() - original.tensor("output").double()) / sigma.view(-1, 1, 1, 1)  # D = x - sigma eps
    assert_close(eps, noise.numpy(), "noise")
    for block, layer in blocks.items():
        expected = np.concatenate([original.expected[f"block.{block}.{part}"] for part in ("mean", "std")], axis=1)
        assert_close(features[layer], expected, block)
    assert set(blocks.values()) <= {tap.name for tap in backbone.taps()}


def test_images_of_more_than_two_resolutions_are_fed_in_as_in_edm(load):
    torch.manual_seed(0)
    net = SongUNet(16, 3, 3, model_channels=16, channel_mult=[1, 2, 2], num_blocks=1, attn_resolutions=[8],
                   embedding_type="fourier", encoder_type="residual", channel_mult_noise=2,
                   resample_filter=[1, 3, 3, 1]).eval()  # fmt: skip
    given = {f"model.{name}": value for name, value in net.state_dict().items()}
    layers = from_edm(given, [f"model.{part}.{name}" for part in ("enc", "dec") for name in getattr(net, part)])
    backbone = load(layers.tensors, VE | SAID | {"image_size": 16, "fir": True})
    x, level = torch.randn(2, 3, 16, 16), backbone.match(0.0)
    with torch.no_grad():
        expected = -net(x, torch.full((2,), level.native / 2).log())  # D = x + sigma F; noise label ln(sigma / 2)
        assert_close(backbone.predict_eps(x, level), expected.numpy(), "noise")


def test_regions_and_kinds_follow_the_layers(load, edm_layers):
    layers = edm_layers["edm_ve_ncsnpp"]
    taps = {tap.name: (tap.region, tap.kind) for tap in load(layers.tensors, ORIGINALS["edm_ve_ncsnpp"]).taps()}
    of = {name.removeprefix("model."): taps.get(layer) for name, layer in layers.layer_of.items()}
    assert of["enc.32x32_conv"] == ("input", "conv")
    assert of["enc.32x32_block0"] == ("encoder", "resnet")
    assert of["enc.16x16_down"] == ("encoder", "downsampler")
    assert of["enc.16x16_aux_residual"] == ("encoder", "conv")
    assert of["enc.16x16_block0"] == ("encoder", "attention")
    assert of["dec.16x16_in0"] == ("middle", "attention")
    assert of["dec.32x32_up"] == ("decoder", "upsampler")
    assert of["dec.32x32_aux_norm"] == ("output", "block")
    assert of["dec.32x32_aux_conv"] == ("output", "conv")
    assert of["map_layer0"] is None


def as_song_has_it(unet: UNet2DModel) -> UNet2DModel:
    """Unit-variance weights everywhere, and only the last attention of each decoder resolution: the others add 0."""
    generator = torch.Generator().manual_seed(0)
    for parameter in unet.parameters():
        fan_in = parameter[0].numel() if parameter.ndim > 1 else 100
        noise = torch.randn(parameter.shape, generator=generator) / math.sqrt(fan_in)
        parameter.data = noise if parameter.ndim > 1 else parameter.data + noise
    for parameter in unet.conv_in.parameters():
        parameter.data *= 1e-3  # a variance that the normalisation's epsilon is not small against
    for block in unet.up_blocks:
        for attention in list(getattr(block, "attentions", ()))[:-1]:
            torch.nn.init.zeros_(attention.to_out[0].weight)
            torch.nn.init.zeros_(attention.to_out[0].bias)
    return unet.eval().requires_grad_(False)


SKIP = {"sample_size": 16, "block_out_channels": (32, 32, 64), "layers_per_block": 1, "norm_num_groups": None,
        "norm_eps": 1e-6, "mid_block_scale_factor": math.sqrt(2), "time_embedding_type": "fourier",
        "attention_head_dim": None,
        "down_block_types": ("SkipDownBlock2D", "AttnSkipDownBlock2D", "SkipDownBlock2D"),
        "up_block_types": ("SkipUpBlock2D", "AttnSkipUpBlock2D", "SkipUpBlock2D")}  # fmt: skip
DDPM = {"sample_size": 16, "block_out_channels": (32, 64, 64), "layers_per_block": 2, "norm_num_groups": 32,
        "norm_eps": 1e-6, "downsample_padding": 0, "flip_sin_to_cos": False, "freq_shift": 1,
        "attention_head_dim": None,
        "down_block_types": ("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "AttnUpBlock2D", "UpBlock2D")}  # fmt: skip


def compare(backbone, unet, layers, x, level, t) -> torch.Tensor:
    """Every layer of both, given the same; gives the network's own output."""
    names = [name for name in layers.layer_of if not name.startswith("time_")]
    own = [layers.layer_of[name] for name in names]
    with torch.no_grad(), capture(unet, names, backbone.activation, stop=False) as expected:
        output = unet(x, t, return_dict=False)[0]
    with torch.no_grad(), capture(backbone.module, own, backbone.activation, stop=False) as features:
        found = backbone.forward(x, level)
    assert set(own) == {tap.name for tap in backbone.taps()}
    for name, layer in zip(names, own, strict=True):
        if not name.endswith("skip_conv") or name.startswith("up_"):  # the encoder's Combine adds inside
            assert_close(features[layer], expected[name].numpy(), name)
    assert_close(found, output.numpy(), "output")
    return found


def test_skips_of_images_are_those_of_diffusers(load):
    unet = as_song_has_it(UNet2DModel(**SKIP))
    for module in unet.modules():
        if isinstance(module, torch.nn.GroupNorm):  # diffusers has 32 in some places: the same from 128 channels on
            module.num_groups = min(module.num_channels // 4, 32)
    layers = from_diffusers(unet)
    backbone = load(layers.tensors, VE | SAID | {"image_size": 16, "centered": True, "fir": True})
    assert {tap.region for tap in backbone.taps()} == {"input", "encoder", "middle", "decoder", "output"}
    level = backbone.match(1.0)
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2
    compare(backbone, unet, layers, x, level, torch.full((2,), level.native))


@pytest.mark.parametrize("continuous", [False, True])
def test_ddpm_networks_are_those_of_diffusers(load, continuous):
    unet = as_song_has_it(UNet2DModel(**DDPM))
    layers = from_diffusers(unet)
    settings = VP | {"image_size": 16, "name": "ddpm", "continuous": continuous}
    backbone = load(layers.tensors, settings)
    level = backbone.match(1.0)
    t = torch.full((2,), 999 * level.native if continuous else level.native)
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    output = compare(backbone, unet, layers, x, level, t)
    assert torch.equal(backbone.predict_eps(x, level), output)  # the output is the noise


# The file


def test_averaged_weights_are_used_and_said(load, edm_layers):
    layers = edm_layers["edm_vp_ddpmpp"]
    backbone = load(layers.tensors, ORIGINALS["edm_vp_ddpmpp"])  # raw weights are zero in this file
    state = backbone.module.state_dict()
    assert all(torch.equal(state[name], value) for name, value in layers.tensors.items())
    assert any("averaged (EMA) weights in its entry 'ema' are used" in note for note in backbone.notes)
    assert backbone.published() is None


def rewritten(path, change) -> None:
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)


def test_averaged_weights_that_do_not_fit_are_refused(load, edm_layers, tmp_path):
    load(edm_layers["edm_vp_ddpmpp"].tensors, ORIGINALS["edm_vp_ddpmpp"])
    path = tmp_path / "checkpoint_24.pth"
    rewritten(path, lambda content: content["ema"]["shadow_params"].pop(0))
    with pytest.raises(BackboneError, match=r"\(ema, shadow_params\) are \d+ tensors, which do not fit"):
        load_backbone(path, device="cpu")
    rewritten(path, lambda content: content["ema"].update(shadow_params=[1, "two"]))
    with pytest.raises(BackboneError, match="are not a list of tensors"):
        load_backbone(path, device="cpu")


def test_a_file_without_a_model_says_what_it_holds(load, edm_layers, tmp_path):
    load(edm_layers["edm_vp_ddpmpp"].tensors, ORIGINALS["edm_vp_ddpmpp"])
    path = tmp_path / "checkpoint_24.pth"
    rewritten(path, lambda content: content.pop("model"))
    with pytest.raises(BackboneError, match="its entries are optimizer, ema, step"):
        load_backbone(path, family="score-sde", device="cpu")


def test_a_model_without_averaged_weights_is_read_as_it_is(load, edm_layers, tmp_path):
    layers = edm_layers["edm_ve_ncsnpp"]
    trained = load(layers.tensors, ORIGINALS["edm_ve_ncsnpp"])
    path = tmp_path / "checkpoint_24.pth"
    torch.save(layers.tensors | {"sigmas": sigmas(0.01, 50.0, 1000)}, path)
    assert load_backbone(path, device="cpu").fingerprint == trained.fingerprint


def test_layers_in_the_wrong_order_are_refused(load, edm_layers):
    tensors = {}
    for name, value in edm_layers["edm_ve_ncsnpp"].tensors.items():
        _, index, rest = name.split(".", 2)
        index = {"4": "5", "5": "4"}.get(index, index)
        tensors[f"all_modules.{index}.{rest}"] = value
    with pytest.raises(BackboneError, match="another network's"):
        load(tensors, ORIGINALS["edm_ve_ncsnpp"])


def test_a_label_is_refused(load, edm_layers, tmp_path):
    load(edm_layers["edm_vp_ddpmpp"].tensors, ORIGINALS["edm_vp_ddpmpp"])
    with pytest.raises(BackboneError, match="knows no classes"):
        load_backbone(tmp_path / "checkpoint_24.pth", device="cpu", label=3)


def test_untrained_copies_are_reproducible_and_not_degenerate(load, edm_layers):
    backbone = load(edm_layers["edm_ve_ncsnpp"].tensors, ORIGINALS["edm_ve_ncsnpp"])
    x, level = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)), backbone.match(2.0)
    with torch.no_grad():
        first, again, other = (backbone.untrained(seed).forward(x, level) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.allclose(first, other)
    assert first.std() > 1e-3
