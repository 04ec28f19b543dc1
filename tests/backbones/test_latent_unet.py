"""Stable Diffusion's networks give what their own pipelines would, at the levels of theory (1)."""

import json
import shutil
from itertools import pairwise

import numpy as np
import pytest
import tiny_pipelines
import torch
from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel
from safetensors.torch import load_file
from torch.utils.flop_counter import FlopCounterMode

import cfs_explore as cfs
from cfs_explore.backbones import load_backbone
from cfs_explore.backbones.prompt import STABLE_DIFFUSION, STABLE_DIFFUSION_XL, Encoder, empty_prompt
from cfs_explore.errors import BackboneError

WIDTH = tiny_pipelines.WIDTH


@pytest.fixture(scope="module")
def sd(tmp_path_factory):
    return tiny_pipelines.stable_diffusion(tmp_path_factory.mktemp("sd"))


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory):
    return tiny_pipelines.stable_diffusion_xl(tmp_path_factory.mktemp("sdxl"))


@pytest.fixture
def latents():
    """x0 and e, (3, 4, 8, 8)."""
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(3, *tiny_pipelines.LATENTS, generator=generator) for _ in range(2))


@torch.no_grad()
def test_stable_diffusion_is_conditioned_on_the_timestep_and_the_prompt(sd, latents):
    backbone = load_backbone(sd, device="cpu")
    assert (backbone.family, backbone.input_shape, backbone.image_shape) == ("latent-unet", (4, 8, 8), (3, 16, 16))
    unet = UNet2DConditionModel.from_pretrained(sd / "unet").eval()
    prompt = empty_prompt(Encoder(sd / "unet", unet, STABLE_DIFFUSION, width=WIDTH, pooled_width=None))
    levels = [backbone.match(lam) for lam in (5.0, 0.0, -3.0)]
    t = torch.tensor([int(level.native) for level in levels])
    expected = unet(latents[0], t, encoder_hidden_states=prompt.tokens.repeat(3, 1, 1)).sample
    torch.testing.assert_close(backbone.forward(latents[0], levels), expected)


@torch.no_grad()
def test_sdxl_is_conditioned_on_an_uncropped_image_of_the_native_size(sdxl, latents):
    backbone = load_backbone(sdxl, device="cpu")
    unet = UNet2DConditionModel.from_pretrained(sdxl / "unet").eval()
    encoder = Encoder(sdxl / "unet", unet, STABLE_DIFFUSION_XL, width=2 * WIDTH, pooled_width=WIDTH)
    tokens, pooled = empty_prompt(encoder).for_batch(3)
    pipeline = StableDiffusionXLPipeline(None, None, None, None, None, unet, None)
    sizes = pipeline._get_add_time_ids((16, 16), (0, 0), (16, 16), torch.float32, text_encoder_projection_dim=WIDTH)
    level = backbone.match(1.0)
    added = {"text_embeds": pooled, "time_ids": sizes.repeat(3, 1)}
    expected = unet(latents[0], int(level.native), encoder_hidden_states=tokens, added_cond_kwargs=added).sample
    torch.testing.assert_close(backbone.forward(latents[0], level), expected)
    added["time_ids"] = sizes.repeat(3, 1) * 64
    other = unet(latents[0], int(level.native), encoder_hidden_states=tokens, added_cond_kwargs=added).sample
    assert not torch.allclose(other, expected, atol=1e-4), "another size must make a difference"


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_a_perfect_prediction_gives_back_image_and_noise(prediction, latents, tmp_path):
    scheduler = tiny_pipelines.SCALED_LINEAR | {"prediction_type": prediction}
    backbone = load_backbone(tiny_pipelines.stable_diffusion(tmp_path, scheduler), device="cpu")
    x0, e = latents
    for lam in (6.0, 0.0, -4.0):
        level = backbone.match(lam)
        perfect = e if prediction == "epsilon" else level.a * e - level.b * x0
        backbone.module.forward = lambda *args, answer=perfect, **kwargs: (answer,)
        x = level.a * x0 + level.b * e
        torch.testing.assert_close(backbone.predict_eps(x, level), e)
        torch.testing.assert_close(backbone.predict_x0(x, level), x0, atol=1e-4, rtol=1e-4)


def test_levels_are_those_of_the_scaled_linear_schedule(sd):
    backbone = load_backbone(sd, device="cpu")
    beta = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    abar = np.cumprod(1 - beta)
    lams = np.log(abar / (1 - abar))
    assert backbone.reach == pytest.approx((lams[-1], 7.07), abs=2e-3)
    for lam in (7.0, 5.0, 1.0, -3.0):
        level = backbone.match(lam)
        t = int(np.argmin(np.abs(lams - lam)))
        assert level.native == t
        assert level.lam == pytest.approx(lams[t], abs=1e-4)
        assert (level.a, level.b) == pytest.approx((abar[t] ** 0.5, (1 - abar[t]) ** 0.5), abs=1e-5)


def test_zero_terminal_snr_keeps_the_reach_finite(tmp_path):
    scheduler = tiny_pipelines.SCALED_LINEAR | {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction"}
    backbone = load_backbone(tiny_pipelines.stable_diffusion(tmp_path, scheduler), device="cpu")
    assert np.isfinite(backbone.reach).all()
    assert backbone.reach[0] < -6 and backbone.match(-100).native < 1000
    assert np.isfinite(backbone.match(backbone.reach[0], "uniform_t").lam)


@pytest.mark.parametrize("kind", ["sd", "sdxl"])
def test_taps_are_the_blocks_in_order_and_their_depth_is_the_work_done(kind, request):
    backbone = load_backbone(request.getfixturevalue(kind), device="cpu")
    taps = backbone.taps()
    counts = {region: sum(tap.region == region for tap in taps) for region in cfs.contracts.REGIONS}
    assert counts == {"input": 1, "encoder": 4, "middle": 3, "decoder": 7, "output": 1}
    assert sum(tap.kind == "attention" for tap in taps) == 4
    assert [(tap.name, tap.channels, tap.resolution) for tap in taps[2:4]] == [
        ("down_blocks.0.attentions.0", 8, 8),
        ("down_blocks.0.downsamplers.0", 8, 4),
    ]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        backbone.forward(torch.zeros(1, 4, 8, 8), backbone.match(5.0))
    total = counter.get_total_flops()
    for before, tap in pairwise(taps):
        work = sum(counter.get_flop_counts().get(f"UNet2DConditionModel.{tap.name}", {}).values())
        assert tap.depth - before.depth == pytest.approx(work / total, abs=1e-9), tap.name


def test_images_give_snapshots_at_every_tap(sd):
    backbone = load_backbone(sd, device="cpu")
    images = np.random.default_rng(0).uniform(-1, 1, (3, *tiny_pipelines.IMAGES)).astype(np.float32)
    snaps = cfs.extract(backbone, images, [5, 0], draws=2)
    for tap in backbone.taps():
        assert snaps[tap.name].shape == (2, 2, 3, 2 * tap.channels)
        assert np.isfinite(snaps[tap.name]).all()
        assert snaps[tap.name].std(axis=2).max() > 1e-6, f"{tap.name} does not depend on the image"


def test_an_untrained_copy_has_other_weights_and_the_same_prompt(sd, latents):
    backbone = load_backbone(sd, device="cpu")
    copy = backbone.untrained(1)
    level = backbone.match(5.0)
    with torch.no_grad():
        assert not torch.allclose(copy.forward(latents[0], level), backbone.forward(latents[0], level))
    assert [tap.name for tap in copy.taps()] == [tap.name for tap in backbone.taps()]


def test_the_unet_folder_of_a_pipeline_is_enough(sd):
    assert load_backbone(sd / "unet", device="cpu").fingerprint == load_backbone(sd, device="cpu").fingerprint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"in_channels": 9}, "9 input channels for 4 output channels"),
        ({"num_class_embeds": 10}, "num_class_embeds = 10"),
        ({"time_cond_proj_dim": 8}, "time_cond_proj_dim = 8"),
    ],
)
def test_networks_that_are_conditioned_on_more_than_a_prompt_are_refused(changes, message, tmp_path):
    folder = tiny_pipelines.stable_diffusion(tmp_path, **changes)
    with pytest.raises(BackboneError, match=message):
        load_backbone(folder, device="cpu")


def test_the_autoencoder_may_be_named(sd, tmp_path):
    folder = shutil.copytree(sd, tmp_path / "sd")
    other = shutil.move(folder / "vae", tmp_path / "elsewhere")
    with pytest.raises(BackboneError, match="give `vae`"):
        load_backbone(folder, device="cpu")
    named = load_backbone(folder, device="cpu", vae=str(other))
    assert named.fingerprint == load_backbone(sd, device="cpu").fingerprint


def test_weights_load_from_shards_half_precision_and_weights_only_files(sd, tmp_path):
    usual = load_backbone(sd, device="cpu").fingerprint
    folder = shutil.copytree(sd, tmp_path / "sd")
    unet = UNet2DConditionModel.from_pretrained(sd / "unet")
    for saved in ({"max_shard_size": "20KB"}, {"safe_serialization": False}):
        shutil.rmtree(folder / "unet")
        unet.save_pretrained(folder / "unet", **saved)
        assert load_backbone(folder, device="cpu").fingerprint == usual
    shutil.rmtree(folder / "unet")
    unet.half().save_pretrained(folder / "unet", variant="fp16")
    half = load_backbone(folder, device="cpu")
    assert half.fingerprint != usual and next(half.module.parameters()).dtype == torch.float32


def test_a_file_of_another_network_is_refused_naming_what_is_missing(sd, tmp_path):
    folder = shutil.copytree(sd, tmp_path / "sd")
    config = json.loads((folder / "unet" / "config.json").read_text())
    (folder / "unet" / "config.json").write_text(json.dumps(config | {"layers_per_block": 2}))
    assert "conv_in.weight" in load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
    with pytest.raises(BackboneError, match=r"missing keys .*resnets"):
        load_backbone(folder, device="cpu")
    with pytest.raises(BackboneError, match="looks like latent-unet"):
        load_backbone(sd, family="unet2d", device="cpu")
