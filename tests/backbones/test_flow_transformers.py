"""SD3 and Flux give what their own pipelines would; theory (1) for rectified flow."""

import json
import math
import shutil
from itertools import pairwise

import numpy as np
import pytest
import tiny_pipelines
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel, SD3Transformer2DModel
from torch.utils.flop_counter import FlopCounterMode

import cfs_explore as cfs
from cfs_explore.backbones import load_backbone
from cfs_explore.backbones.flow_transformer import read_flow
from cfs_explore.backbones.prompt import FLUX, STABLE_DIFFUSION_3, Encoder, empty_prompt
from cfs_explore.errors import BackboneError
from cfs_explore.taps.pooling import pool

WIDTH = tiny_pipelines.WIDTH
KINDS = ("sd3", "flux")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    home = tmp_path_factory.mktemp("flow")
    dual = {"dual_attention_layers": (0,), "qk_norm": "rms_norm"}
    return {
        "sd3": tiny_pipelines.stable_diffusion_3(home / "sd3"),
        "sd3.5": tiny_pipelines.stable_diffusion_3(home / "sd35", t5=False, **dual),
        "flux": tiny_pipelines.flux(home / "flux"),
        "schnell": tiny_pipelines.flux(home / "schnell", guidance_embeds=False),
    }


@pytest.fixture(scope="module")
def backbones(folders):
    return {kind: load_backbone(folder, device="cpu") for kind, folder in folders.items()}


@pytest.fixture
def latents():
    """x0 and e, (3, 4, 8, 8)."""
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(3, *tiny_pipelines.LATENTS, generator=generator) for _ in range(2))


@pytest.mark.parametrize("kind", ["sd3", "sd3.5"])
@torch.no_grad()
def test_sd3_is_conditioned_on_a_thousand_s_and_the_prompt(kind, folders, backbones, latents):
    backbone = backbones[kind]
    assert (backbone.family, backbone.input_shape, backbone.image_shape) == ("flow-transformer", (4, 8, 8), (3, 16, 16))
    transformer = SD3Transformer2DModel.from_pretrained(folders[kind] / "transformer").eval()
    widths = {"width": 2 * WIDTH + 4, "pooled_width": 2 * WIDTH}
    encoder = Encoder(folders[kind] / "transformer", transformer, STABLE_DIFFUSION_3, **widths)
    tokens, pooled = empty_prompt(encoder).for_batch(3)
    levels = [backbone.match(lam) for lam in (5.0, 0.0, -3.0)]
    t = torch.tensor([1000 * level.b for level in levels])
    expected = transformer(latents[0], tokens, pooled, t).sample
    torch.testing.assert_close(backbone.forward(latents[0], levels), expected)


@pytest.mark.parametrize("kind", ["flux", "schnell"])
@torch.no_grad()
def test_flux_is_conditioned_on_s_the_prompt_and_a_guidance_of_one(kind, folders, backbones, latents):
    backbone = backbones[kind]
    assert (backbone.family, backbone.input_shape, backbone.image_shape) == ("flow-transformer", (4, 8, 8), (3, 16, 16))
    transformer = FluxTransformer2DModel.from_pretrained(folders[kind] / "transformer").eval()
    encoder = Encoder(folders[kind] / "transformer", transformer, FLUX, width=WIDTH, pooled_width=WIDTH)
    tokens, pooled = empty_prompt(encoder).for_batch(3)
    levels = [backbone.match(lam) for lam in (5.0, 0.0, -3.0)]
    packed = transformer(
        FluxPipeline._pack_latents(latents[0], 3, 4, 8, 8),
        tokens,
        pooled,
        torch.tensor([level.b for level in levels]),
        FluxPipeline._prepare_latent_image_ids(3, 4, 4, "cpu", torch.float32),
        torch.zeros(512, 3),
        torch.ones(3) if kind == "flux" else None,
    ).sample
    expected = FluxPipeline._unpack_latents(packed, 16, 16, vae_scale_factor=2)
    torch.testing.assert_close(backbone.forward(latents[0], levels), expected)
    assert any("guidance" in note for note in backbone.notes) == (kind == "flux")


@pytest.mark.parametrize("kind", KINDS)
def test_a_perfect_velocity_gives_back_image_and_noise(kind, folders, latents):
    backbone = load_backbone(folders[kind], device="cpu")
    x0, e = latents
    velocity = e - x0
    answer = velocity if kind == "sd3" else FluxPipeline._pack_latents(velocity, 3, 4, 8, 8)
    backbone.module.forward = lambda *args, **kwargs: (answer,)
    for lam in (6.0, 0.0, -4.0):
        level = backbone.match(lam)
        x = level.a * x0 + level.b * e
        torch.testing.assert_close(backbone.forward(x, level), velocity)
        torch.testing.assert_close(backbone.predict_eps(x, level), e)
        torch.testing.assert_close(backbone.predict_x0(x, level), x0, atol=1e-4, rtol=1e-4)


def test_the_velocity_is_the_one_that_the_scheduler_integrates(latents):
    x0, e = latents
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    scheduler.set_timesteps(10)
    s, following = scheduler.sigmas[4:6]
    level = read_flow(tiny_pipelines.FLOW, in_steps=True).schedule.match(2 * math.log((1 - s) / s))
    x = scheduler.scale_noise(x0, scheduler.timesteps[4:5], e)
    torch.testing.assert_close(x, level.a * x0 + level.b * e)
    stepped = scheduler.step(e - x0, scheduler.timesteps[4], x).prev_sample
    torch.testing.assert_close(stepped, (1 - following) * x0 + following * e)


@pytest.mark.parametrize("kind", KINDS)
def test_levels_are_those_of_rectified_flow(kind, backbones):
    backbone = backbones[kind]
    assert backbone.reach == pytest.approx((-2 * math.log(999), 2 * math.log(999)))
    for lam in (9.0, 5.0, 0.0, -5.0):
        level = backbone.match(lam)
        assert level.lam == pytest.approx(lam)
        assert level.a + level.b == pytest.approx(1)
        assert 2 * math.log(level.a / level.b) == pytest.approx(lam)
    assert backbone.match(50).b == pytest.approx(1 / 1000)


def test_taps_are_the_blocks_by_thirds(backbones):
    taps = {kind: [(tap.name, tap.region) for tap in backbone.taps()] for kind, backbone in backbones.items()}
    assert taps["sd3"] == taps["sd3.5"] == [
        ("pos_embed", "input"),
        ("transformer_blocks.0", "encoder"),
        ("transformer_blocks.1", "middle"),
        ("transformer_blocks.2", "decoder"),
    ]  # fmt: skip
    assert taps["flux"] == taps["schnell"] == [
        ("x_embedder", "input"),
        ("transformer_blocks.0", "encoder"),
        ("transformer_blocks.1", "encoder"),
        ("single_transformer_blocks.0", "middle"),
        ("single_transformer_blocks.1", "middle"),
        ("single_transformer_blocks.2", "decoder"),
        ("single_transformer_blocks.3", "decoder"),
    ]  # fmt: skip
    assert all((tap.resolution, tap.channels) == (4, 16) for kind in KINDS for tap in backbones[kind].taps())


@pytest.mark.parametrize("kind", ["sd3", "sd3.5", "flux"])
def test_depth_is_the_work_done(kind, backbones):
    backbone = backbones[kind]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        backbone.forward(torch.zeros(1, 4, 8, 8), backbone.match(5.0))
    work = {name.partition(".")[2]: sum(flops.values()) for name, flops in counter.get_flop_counts().items()}
    total = counter.get_total_flops()
    taps = backbone.taps()
    for before, tap in pairwise(taps[1:]):
        assert tap.depth - before.depth == pytest.approx(work[tap.name] / total, abs=1e-9), tap.name
    assert 1 - taps[-1].depth == pytest.approx((work["norm_out"] + work["proj_out"]) / total, abs=1e-9)


@pytest.mark.parametrize("kind", ["sd3", "sd3.5", "flux"])
def test_snapshots_pool_the_image_tokens_and_no_text(kind, backbones):
    backbone = backbones[kind]
    images = np.random.default_rng(0).uniform(-1, 1, (2, *tiny_pipelines.IMAGES)).astype(np.float32)
    noise = np.random.default_rng(1).standard_normal((1, 2, 4, 8, 8), dtype=np.float32)
    snaps = cfs.extract(backbone, images, [3.0], noise=noise)
    level = backbone.match(3.0)
    seen = {}
    hooks = [
        module.register_forward_hook(lambda _m, _i, output, name=name: seen.update({name: output}))
        for name, module in backbone.module.named_modules()
    ]
    with torch.no_grad():
        backbone.forward(
            level.a * backbone.encode(torch.from_numpy(images)) + level.b * torch.from_numpy(noise[0]), level
        )
    for hook in hooks:
        hook.remove()
    for tap in backbone.taps():
        tokens = seen[tap.name][1] if tap.kind == "block" else seen[tap.name]
        assert tokens.shape == (2, 16, 16), "16 tokens of the image"
        np.testing.assert_allclose(snaps[tap.name][0, 0], pool(tokens).numpy(), atol=1e-5)


def test_an_untrained_copy_has_other_weights(backbones, latents):
    for kind in KINDS:
        backbone = backbones[kind]
        level = backbone.match(5.0)
        with torch.no_grad():
            output = backbone.untrained(1).forward(latents[0], level)
            assert not torch.allclose(output, backbone.forward(latents[0], level))
        assert output.std() > 1e-3


@pytest.mark.parametrize("scheduler", [{"_class_name": "DDPMScheduler"}, tiny_pipelines.FLOW | {"invert_sigmas": True}])
def test_schedulers_of_something_else_are_refused(scheduler):
    with pytest.raises(BackboneError, match="flow matching"):
        read_flow(scheduler, in_steps=True)


def test_a_folder_without_scheduler_takes_a_named_schedule(folders, backbones, tmp_path):
    folder = shutil.copytree(folders["flux"], tmp_path / "flux")
    shutil.rmtree(folder / "scheduler")
    with pytest.raises(BackboneError, match="flow-1000"):
        load_backbone(folder, device="cpu")
    named = load_backbone(folder / "transformer", device="cpu", schedule="flow-1000")
    assert named.fingerprint == backbones["flux"].fingerprint


@pytest.mark.parametrize("size", [None, 18])
def test_flux_takes_its_size_from_the_autoencoder(size, folders, tmp_path):
    folder = shutil.copytree(folders["flux"], tmp_path / "flux")
    config = json.loads((folder / "vae" / "config.json").read_text()) | {"sample_size": size}
    (folder / "vae" / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    with pytest.raises(BackboneError, match=r"vae.config\.json must give sample_size"):
        load_backbone(folder, device="cpu")


def test_networks_that_are_conditioned_on_an_image_are_refused(tmp_path):
    folder = tiny_pipelines.flux(tmp_path / "fill", in_channels=32, out_channels=16)
    with pytest.raises(BackboneError, match="takes 32 channels and gives 16"):
        load_backbone(folder, device="cpu")


def test_weights_only_files_load(folders, backbones, tmp_path):
    folder = shutil.copytree(folders["flux"], tmp_path / "flux")
    transformer = FluxTransformer2DModel.from_pretrained(folder / "transformer")
    shutil.rmtree(folder / "transformer")
    transformer.save_pretrained(folder / "transformer", safe_serialization=False)
    assert load_backbone(folder, device="cpu").fingerprint == backbones["flux"].fingerprint
