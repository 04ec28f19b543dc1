"""What U-ViT networks are conditioned on: their levels, their classes and the latents of their autoencoder."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import uvit_checkpoints
from network_times import network_time
from uvit_checkpoints import LATENT, TINY

from cfs_explore.backbones import load_backbone
from cfs_explore.backbones.uvit_family import PRESETS
from cfs_explore.errors import BackboneError

# Fixtures
original, weights = uvit_checkpoints.original, uvit_checkpoints.weights
save, save_tiny = uvit_checkpoints.save, uvit_checkpoints.save_tiny


# Levels (theory 1)


def test_pixels_are_corrupted_by_the_vp_sde_and_conditioned_on_their_time(save):
    backbone = load_backbone(save(), device="cpu")
    for lam in (9.0, 5.0, 0.0, -6.0):
        level = backbone.match(lam)
        t = level.native
        log_abar = -(0.1 * t + 0.5 * 19.9 * t * t)
        assert level.lam == pytest.approx(lam)
        assert log_abar - math.log(-math.expm1(log_abar)) == pytest.approx(lam)
        assert (level.a, level.b) == pytest.approx((math.exp(log_abar / 2), math.sqrt(-math.expm1(log_abar))))
        torch.testing.assert_close(network_time(backbone, level), torch.full((2,), 999 * t))


def test_latents_under_discrete_steps_are_conditioned_on_the_step_counted_from_one(save_tiny, save_vae):
    path = save_tiny(LATENT, schedule="sd-scaled-linear-1000", vae=str(save_vae()))
    backbone = load_backbone(path, device="cpu")
    assert (backbone.input_shape, backbone.image_shape) == ((4, 8, 8), (3, 16, 16))
    abar = np.cumprod(1 - np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2)
    lams = np.log(abar / (1 - abar))
    assert backbone.reach == pytest.approx((lams[-1], lams[0]))
    for lam in (7.0, 2.0, -4.0):
        level = backbone.match(lam)
        index = int(np.argmin(np.abs(lams - lam)))
        assert level.native == index
        assert (level.a, level.b) == pytest.approx((abar[index] ** 0.5, (1 - abar[index]) ** 0.5))
        assert torch.equal(network_time(backbone, level), torch.full((2,), index + 1.0))


def test_latents_have_seen_both_schedules_so_that_one_is_asked_for(save_tiny, save_vae):
    path, vae = save_tiny(LATENT), str(save_vae())
    with pytest.raises(BackboneError, match=r"missing: schedule\..*imagenet256_uvit_large"):
        load_backbone(path, device="cpu", vae=vae)
    continuous = load_backbone(path, device="cpu", vae=vae, schedule="vp-sde")
    assert continuous.match(3.3).lam == pytest.approx(3.3)
    with pytest.raises(BackboneError, match="schedule must be one of vp-sde, sd-scaled-linear-1000; got 'cosine'"):
        load_backbone(path, device="cpu", vae=vae, schedule="cosine")


def test_released_latent_networks_have_their_own_schedule():
    kinds = {name: preset["schedule"] for name, preset in PRESETS.items() if preset["in_chans"] == 4}
    assert kinds == {
        "imagenet256_uvit_large": "vp-sde",
        "imagenet256_uvit_huge": "sd-scaled-linear-1000",
        "imagenet512_uvit_large": "vp-sde",
        "imagenet512_uvit_huge": "sd-scaled-linear-1000",
    }


@pytest.mark.parametrize("kind", ["pixels", "latents"])
def test_estimates_are_consistent_with_the_noise_that_is_predicted(kind, save_tiny, save_vae):
    settings = {} if kind == "pixels" else {"schedule": "sd-scaled-linear-1000", "vae": str(save_vae())}
    backbone = load_backbone(save_tiny(TINY if kind == "pixels" else LATENT, **settings), device="cpu")
    x, level = torch.randn(2, *backbone.input_shape, generator=torch.Generator().manual_seed(0)), backbone.match(1.0)
    with torch.no_grad():
        out, eps, x0 = (f(x, level) for f in (backbone.forward, backbone.predict_eps, backbone.predict_x0))
    assert torch.equal(out, eps)
    torch.testing.assert_close(level.a * x0 + level.b * eps, x, atol=1e-4, rtol=1e-4)


# Classes and autoencoder


def test_the_null_class_of_the_latent_networks_is_the_default(save_tiny, save_vae):
    path = save_tiny(LATENT, schedule="sd-scaled-linear-1000", vae=str(save_vae()))
    null, same, seven = (load_backbone(path, device="cpu", label=label) for label in (None, 1000, 7))
    x, level = torch.randn(1, 4, 8, 8), null.match(2.0)
    t = torch.tensor([level.native + 1])
    with torch.no_grad():
        torch.testing.assert_close(null.forward(x, level), null.module(x, t, torch.tensor([1000])))
        torch.testing.assert_close(seven.forward(x, level), seven.module(x, t, torch.tensor([7])))
        assert not torch.allclose(null.forward(x, level), seven.forward(x, level))
    assert null.fingerprint == same.fingerprint != seven.fingerprint
    assert any("null class (1000)" in note for note in null.notes)
    with pytest.raises(BackboneError, match="has 1000 classes: label must be 0 to 999, or 1000, or nothing"):
        load_backbone(path, device="cpu", label=1001)


@pytest.mark.parametrize("label", [None, -1, 1000])
def test_without_a_null_class_the_label_must_be_given(save_tiny, label):
    path = save_tiny(replace(TINY, num_classes=1000))
    with pytest.raises(BackboneError, match=r"no null class: give `label`, .* 0 to 999; got"):
        load_backbone(path, device="cpu", label=label)
    assert load_backbone(path, device="cpu", label=999).family == "u-vit"


def test_a_label_for_an_unconditional_network_is_an_error(save):
    with pytest.raises(BackboneError, match="knows no classes"):
        load_backbone(save(), device="cpu", label=1)


def test_latent_networks_ask_for_their_autoencoder(save_tiny):
    with pytest.raises(BackboneError, match=r"give `vae`.*stabilityai/sd-vae-ft-ema"):
        load_backbone(save_tiny(LATENT, schedule="vp-sde"), device="cpu")
