"""diffusers' DiT gives what its own pipeline would, at the levels of theory (1)."""

import json
import shutil
from itertools import pairwise

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, DiTPipeline, DiTTransformer2DModel
from torch.utils.flop_counter import FlopCounterMode

import cfs_explore as cfs
from cfs_explore.backbones import load_backbone
from cfs_explore.errors import BackboneError
from cfs_explore.taps.pooling import pool

CONFIG = {
    "num_attention_heads": 2,
    "attention_head_dim": 8,
    "in_channels": 4,
    "out_channels": 8,
    "num_layers": 3,
    "sample_size": 8,
    "num_embeds_ada_norm": 10,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, save_vae):
    """A pipeline as DiT's is saved, latents 4 x 8 x 8 of images 3 x 16 x 16."""
    torch.manual_seed(0)
    pipeline = DiTPipeline(DiTTransformer2DModel(**CONFIG), AutoencoderKL.from_pretrained(save_vae()), DDIMScheduler())
    home = tmp_path_factory.mktemp("dit") / "DiT-tiny"
    pipeline.save_pretrained(home)
    return home


@pytest.fixture
def latents():
    """x0 and e, (3, 4, 8, 8)."""
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(3, 4, 8, 8, generator=generator) for _ in range(2))


@torch.no_grad()
def test_the_network_is_conditioned_on_the_timestep_and_the_null_class(folder, latents):
    backbone = load_backbone(folder, device="cpu")
    assert (backbone.family, backbone.input_shape, backbone.image_shape) == ("dit-diffusers", (4, 8, 8), (3, 16, 16))
    transformer = DiTTransformer2DModel.from_pretrained(folder / "transformer").eval()
    levels = [backbone.match(lam) for lam in (5.0, 0.0, -3.0)]
    t = torch.tensor([int(level.native) for level in levels])
    for label in (None, 10, 4):
        labelled = load_backbone(folder, device="cpu", label=label)
        expected = transformer(latents[0], t, torch.full((3,), 10 if label is None else label)).sample
        torch.testing.assert_close(labelled.forward(latents[0], levels), expected)
        assert (labelled.fingerprint == backbone.fingerprint) == (label != 4)
    assert any("null class (10)" in note for note in backbone.notes)


def test_the_note_on_frequencies_holds_for_the_installed_diffusers(folder):
    backbone = load_backbone(folder, device="cpu")
    embedded = backbone.module.transformer_blocks[0].norm1.emb.time_proj(torch.tensor([1.0]))[0]
    ratio = embedded[128:].asin() / 10000 ** -(torch.arange(128) / 128)  # sines of the step 1 at each frequency
    assert ratio.max() == pytest.approx(1.0, abs=1e-4) and 0.93 <= ratio[-10:].min() < 0.94
    assert any("frequencies up to 7 % below" in note for note in backbone.notes)


@pytest.mark.parametrize("label", [-1, 11])
def test_a_class_that_does_not_exist_is_an_error(folder, label):
    with pytest.raises(BackboneError, match="has 10 classes: label must be 0 to 9, or 10, or nothing"):
        load_backbone(folder, device="cpu", label=label)


@torch.no_grad()
def test_a_perfect_prediction_gives_back_image_and_noise(folder, latents):
    backbone = load_backbone(folder, device="cpu")
    x0, e = latents
    variances = torch.ones_like(e)
    for lam in (6.0, 0.0, -4.0):
        level = backbone.match(lam)
        backbone.module.forward = lambda *args, **kwargs: (torch.cat([e, variances], dim=1),)
        x = level.a * x0 + level.b * e
        torch.testing.assert_close(backbone.predict_eps(x, level), e)
        torch.testing.assert_close(backbone.predict_x0(x, level), x0, atol=1e-4, rtol=1e-4)


def test_levels_are_those_of_the_linear_schedule(folder):
    backbone = load_backbone(folder, device="cpu")
    abar = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    lams = np.log(abar / (1 - abar))
    assert backbone.reach == pytest.approx((lams[-1], 9.21), abs=2e-3)
    for lam in (9.0, 5.0, 1.0, -3.0):
        level = backbone.match(lam)
        t = int(np.argmin(np.abs(lams - lam)))
        assert level.native == t
        assert (level.a, level.b) == pytest.approx((abar[t] ** 0.5, (1 - abar[t]) ** 0.5), abs=1e-5)


def test_taps_are_the_blocks_by_thirds_and_their_depth_is_the_work_done(folder):
    backbone = load_backbone(folder, device="cpu")
    taps = backbone.taps()
    assert [(tap.name, tap.region) for tap in taps] == [
        ("pos_embed", "input"),
        ("transformer_blocks.0", "encoder"),
        ("transformer_blocks.1", "middle"),
        ("transformer_blocks.2", "decoder"),
    ]
    assert all((tap.resolution, tap.channels) == (4, 16) for tap in taps)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        backbone.forward(torch.zeros(1, 4, 8, 8), backbone.match(5.0))
    total = counter.get_total_flops()
    for before, tap in pairwise(taps):
        work = sum(counter.get_flop_counts()[f"DiTTransformer2DModel.{tap.name}"].values())
        assert tap.depth - before.depth == pytest.approx(work / total, abs=1e-9), tap.name


def test_snapshots_pool_the_tokens_of_every_site(folder):
    backbone = load_backbone(folder, device="cpu")
    images = np.random.default_rng(0).uniform(-1, 1, (2, 3, 16, 16)).astype(np.float32)
    noise = np.random.default_rng(1).standard_normal((1, 2, 4, 8, 8), dtype=np.float32)
    snaps = cfs.extract(backbone, images, [3.0], noise=noise)
    level, seen = backbone.match(3.0), {}
    for tap in backbone.taps():
        module = backbone.module.get_submodule(tap.name)
        module.register_forward_hook(lambda _m, _i, output, name=tap.name: seen.update({name: output}))
    with torch.no_grad():
        x0 = backbone.encode(torch.from_numpy(images))
        backbone.forward(level.a * x0 + level.b * torch.from_numpy(noise[0]), level)
    for tap in backbone.taps():
        np.testing.assert_allclose(snaps[tap.name][0, 0], pool(seen[tap.name]).numpy(), atol=1e-5)


def test_an_untrained_copy_has_other_weights(folder, latents):
    backbone = load_backbone(folder, device="cpu")
    level = backbone.match(5.0)
    with torch.no_grad():
        first, again, trained = (b.forward(latents[0], level) for b in (*[backbone.untrained(1)] * 2, backbone))
    assert torch.equal(first, again) and not torch.allclose(first, trained)
    assert first.std() > 1e-3


def test_the_transformer_folder_of_a_pipeline_is_enough(folder):
    whole = load_backbone(folder, device="cpu")
    assert load_backbone(folder / "transformer", device="cpu").fingerprint == whole.fingerprint


@pytest.fixture
def as_published(folder, tmp_path):
    """The pipeline under the class's former name, with arguments that only other networks of it had; gives it."""

    def write(norm_type: str):
        copy = shutil.copytree(folder, tmp_path / "published")
        config = json.loads((copy / "transformer" / "config.json").read_text())
        config |= {"_class_name": "Transformer2DModel", "norm_type": norm_type, "cross_attention_dim": None}
        config |= {"num_vector_embeds": None, "only_cross_attention": False, "use_linear_projection": False}
        (copy / "transformer" / "config.json").write_text(json.dumps(config))
        return copy

    return write


def test_folders_as_the_weights_were_published_are_the_same_network(folder, as_published):
    backbone, published = (load_backbone(source, device="cpu") for source in (folder, as_published("ada_norm_zero")))
    assert published.family == "dit-diffusers"
    assert published.fingerprint == backbone.fingerprint
    x, level = torch.randn(1, 4, 8, 8), backbone.match(1.0)
    with torch.no_grad():
        assert torch.equal(published.forward(x, level), backbone.forward(x, level))
        assert published.untrained(0).forward(x, level).shape == (1, 8, 8, 8)


def test_other_networks_of_the_former_class_are_not_taken_for_it(as_published):
    with pytest.raises(BackboneError, match="is not a backbone of a known family"):
        load_backbone(as_published("ada_norm_single"), device="cpu")


def test_a_bare_network_asks_for_schedule_and_autoencoder(folder, tmp_path, save_vae):
    bare = shutil.copytree(folder / "transformer", tmp_path / "bare")
    with pytest.raises(BackboneError, match=r"scheduler.*ddpm-linear-1000"):
        load_backbone(bare, device="cpu")
    with pytest.raises(BackboneError, match="give `vae`"):
        load_backbone(bare, device="cpu", schedule="ddpm-linear-1000")
    named = load_backbone(bare, device="cpu", schedule="ddpm-linear-1000", vae=str(save_vae()))
    assert named.fingerprint == load_backbone(folder, device="cpu").fingerprint


def test_the_autoencoder_may_be_named(folder, save_vae):
    other = load_backbone(folder, device="cpu", vae=str(save_vae(seed=1)))
    assert other.fingerprint != load_backbone(folder, device="cpu").fingerprint


def test_weights_of_another_network_are_refused_naming_what_is_missing(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "dit")
    config = json.loads((copy / "transformer" / "config.json").read_text())
    (copy / "transformer" / "config.json").write_text(json.dumps(config | {"num_layers": 4}))
    with pytest.raises(BackboneError, match=r"missing keys .*transformer_blocks\.3"):
        load_backbone(copy, device="cpu")


def test_half_downloaded_weights_are_refused(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "dit")
    path = copy / "transformer" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BackboneError, match="transformer"):
        load_backbone(copy, device="cpu")


@pytest.mark.parametrize("wrong", ["flow-transformer", "latent-unet", "dit"])
def test_the_wrong_family_is_refused_and_the_right_one_named(folder, wrong):
    with pytest.raises(BackboneError, match=f"does not hold a {wrong} backbone. It looks like dit-diffusers."):
        load_backbone(folder, family=wrong, device="cpu")


def test_half_precision_weights_are_computed_with_in_float32(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "dit")
    transformer = DiTTransformer2DModel.from_pretrained(folder / "transformer")
    shutil.rmtree(copy / "transformer")
    transformer.half().save_pretrained(copy / "transformer", variant="fp16")
    half = load_backbone(copy, device="cpu")
    assert {p.dtype for p in half.module.parameters()} == {torch.float32}
    assert half.fingerprint != load_backbone(folder, device="cpu").fingerprint
