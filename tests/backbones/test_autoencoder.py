"""Autoencoders of latent networks: scaled posterior means, factors, and what does not fit."""

import json

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file

from cfs_explore.backbones.autoencoder import load_autoencoder
from cfs_explore.errors import BackboneError

CPU = torch.device("cpu")


def images_for(autoencoder, n=2):
    return torch.rand(n, *autoencoder.image_shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize(("channels", "factor"), [((8,), 1), ((8, 8), 2), ((8, 8, 8, 8), 8)])
def test_image_shape_follows_from_the_downsampling(save_vae, channels, factor):
    autoencoder = load_autoencoder(save_vae(block_out_channels=channels), (4, 4, 6), CPU)
    assert autoencoder.image_shape == (3, 4 * factor, 6 * factor)
    latents = autoencoder.encode(images_for(autoencoder))
    assert latents.shape == (2, 4, 4, 6)
    assert autoencoder.decode(latents).shape == (2, *autoencoder.image_shape)


@pytest.mark.parametrize("settings", [{"scaling_factor": 0.5}, {"scaling_factor": 0.36, "shift_factor": 0.12}])
def test_latents_are_the_scaled_posterior_mean(save_vae, settings):
    folder = save_vae(**settings)
    autoencoder = load_autoencoder(folder, (4, 4, 4), CPU)
    module = AutoencoderKL.from_pretrained(folder).eval()
    images = images_for(autoencoder)
    with torch.no_grad():
        mean = module.encode(images).latent_dist.mode()
        latents = autoencoder.encode(images)
        torch.testing.assert_close(
            latents, (mean - settings.get("shift_factor", 0.0)) * settings["scaling_factor"], rtol=1e-5, atol=1e-6
        )
        torch.testing.assert_close(autoencoder.decode(latents), module.decode(mean).sample, rtol=1e-4, atol=1e-5)
        assert torch.equal(latents, autoencoder.encode(images))


def test_statistics_per_channel_take_the_place_of_the_shift(save_vae):
    means, stds = [0.1, -0.2, 0.3, 0.0], [1.0, 2.0, 0.5, 4.0]
    folder = save_vae(latents_mean=means, latents_std=stds, scaling_factor=0.5)
    autoencoder = load_autoencoder(folder, (4, 4, 4), CPU)
    images = images_for(autoencoder)
    with torch.no_grad():
        z = AutoencoderKL.from_pretrained(folder).eval().encode(images).latent_dist.mode()
        expected = torch.stack([(z[:, c] - means[c]) * 0.5 / stds[c] for c in range(4)], dim=1)
        torch.testing.assert_close(autoencoder.encode(images), expected, rtol=1e-5, atol=1e-6)


def test_a_pipelines_vae_and_weights_only_files_are_found(save_vae, tmp_path):
    bare, pickled = save_vae(), save_vae(safe=False)
    assert not list(pickled.glob("*.safetensors"))
    (tmp_path / "vae").symlink_to(bare)
    fingerprints = {load_autoencoder(path, (4, 4, 4), CPU).fingerprint for path in (bare, pickled, tmp_path, str(bare))}
    assert len(fingerprints) == 1


def test_weights_with_the_first_attention_names_load(save_vae):
    folder = save_vae(seed=3)
    before = load_autoencoder(folder, (4, 4, 4), CPU).fingerprint
    weights = folder / "diffusion_pytorch_model.safetensors"
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    state = load_file(weights)
    for new_name, old_name in old.items():
        state = {name.replace(f".{new_name}.", f".{old_name}."): value for name, value in state.items()}
    assert any("proj_attn" in name for name in state)
    save_file(state, weights, metadata={"format": "pt"})
    assert load_autoencoder(folder, (4, 4, 4), CPU).fingerprint == before


def test_the_fingerprint_tells_weights_and_scaling_apart(save_vae):
    folders = [save_vae(seed=1), save_vae(seed=2), save_vae(seed=1, scaling_factor=0.3), save_vae(seed=1)]
    prints = [load_autoencoder(folder, (4, 4, 4), CPU).fingerprint for folder in folders]
    assert prints[0] == prints[3] and len(set(prints)) == 3


def test_another_channel_number_is_refused(save_vae):
    with pytest.raises(BackboneError, match=r"16 latent channels.*takes 4.*`vae`"):
        load_autoencoder(save_vae(latent_channels=16), (4, 4, 4), CPU)


def test_a_folder_without_autoencoder_is_refused(tiny_folder):
    with pytest.raises(BackboneError, match=r"no AutoencoderKL.*`vae`"):
        load_autoencoder(tiny_folder, (4, 4, 4), CPU)


def test_a_path_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BackboneError, match="not on this machine"):
        load_autoencoder(tmp_path / "nothing", (4, 4, 4), CPU)


def test_weights_that_do_not_fit_are_refused(save_vae):
    folder = save_vae()
    weights = folder / "diffusion_pytorch_model.safetensors"
    state = load_file(weights)
    del state["quant_conv.weight"]
    save_file(state, weights, metadata={"format": "pt"})
    with pytest.raises(BackboneError, match=r"quant_conv\.weight"):
        load_autoencoder(folder, (4, 4, 4), CPU)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"latent_channels": 5}))
    with pytest.raises(BackboneError):
        load_autoencoder(folder, (5, 4, 4), CPU)
