"""What DiT networks are conditioned on: their levels, their classes and the latents of their autoencoder."""

import math

import dit_checkpoints
import numpy as np
import pytest
import torch
from original_weights import formula

from cfs_explore.backbones import load_backbone
from cfs_explore.errors import BackboneError

# Fixtures
original, weights = dit_checkpoints.original, dit_checkpoints.weights
vae, save = dit_checkpoints.vae, dit_checkpoints.save


def with_classes(weights, rows: int) -> dict[str, torch.Tensor]:
    name = "y_embedder.embedding_table.weight"
    return weights | {name: formula(name, [rows, 64], 5)}


# Levels (theory 1)


def test_levels_are_those_of_the_linear_schedule_and_the_network_gets_the_step(save):
    backbone = load_backbone(save(), device="cpu")
    log_abar, lams = 0.0, []
    for t in range(1000):
        log_abar += math.log1p(-(1e-4 + t / 999 * (0.02 - 1e-4)))
        lams.append(log_abar - math.log(-math.expm1(log_abar)))
    assert backbone.reach == pytest.approx((lams[-1], 9.21), abs=2e-3)
    seen = []
    backbone.module.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[1]))
    for lam in (9.0, 5.0, 0.0, -6.0):
        level = backbone.match(lam)
        nearest = int(np.argmin(np.abs(np.array(lams) - lam)))
        assert level.native == nearest
        assert level.lam == pytest.approx(lams[nearest])
        assert 2 * math.log(level.a / level.b) == pytest.approx(level.lam)
        with torch.no_grad():
            backbone.forward(torch.zeros(2, 4, 16, 16), level)
        assert torch.equal(seen[-1], torch.full((2,), nearest))


@pytest.mark.parametrize("said", [{"noise_schedule": "cosine"}, {"diffusion_steps": 4000}, {"schedule": "cosine"}])
def test_another_schedule_is_refused(save, said):
    with pytest.raises(BackboneError, match="linear schedule of 1000 steps"):
        load_backbone(save(**said), device="cpu")


def test_learned_variances_are_left_out_of_the_noise(save):
    backbone = load_backbone(save(), device="cpu")
    x = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    level = backbone.match(1.0)
    with torch.no_grad():
        out, eps, x0 = (f(x, level) for f in (backbone.forward, backbone.predict_eps, backbone.predict_x0))
    assert out.shape == (2, 8, 16, 16) and torch.equal(eps, out[:, :4])
    torch.testing.assert_close(level.a * x0 + level.b * eps, x, atol=1e-4, rtol=1e-4)


# Classes and autoencoder


def test_the_null_class_is_the_default_and_a_label_overrides_it(save, original):
    path = save()
    null, same, three = (load_backbone(path, device="cpu", label=label) for label in (None, 10, 3))
    x, level = original.tensor("input.x"), null.match(2.0)
    t = torch.full((2,), int(level.native))
    with torch.no_grad():
        assert torch.equal(null.forward(x, level), null.module(x, t, torch.tensor([10, 10])))
        assert torch.equal(three.forward(x, level), three.module(x, t, torch.tensor([3, 3])))
        assert (null.forward(x, level) - three.forward(x, level)).abs().max() > 1e-3
    assert null.fingerprint == same.fingerprint != three.fingerprint
    assert any("null class (10)" in note and "0 to 9" in note for note in null.notes)
    assert any("noise prediction on the linear schedule" in note for note in three.notes)


@pytest.mark.parametrize("label", [-1, 11, "cat"])
def test_a_class_that_does_not_exist_is_an_error(save, label):
    with pytest.raises(BackboneError, match=f"has 10 classes: label must be 0 to 9, or 10, .*; got {label!r}"):
        load_backbone(save(), device="cpu", label=label)


@pytest.mark.parametrize("said", [{"class_dropout_prob": 0.0, "num_classes": 11}, {"num_classes": 11}])
def test_without_class_dropout_there_is_no_null_class(save, said):
    path = save(**said, drop=() if "class_dropout_prob" in said else ("class_dropout_prob",))
    with pytest.raises(BackboneError, match=r"no null class: give `label`, .* 0 to 10; got None"):
        load_backbone(path, device="cpu")
    assert load_backbone(path, device="cpu", label=10).family == "dit"


def test_the_number_of_classes_must_agree_with_the_weights(save, weights):
    with pytest.raises(BackboneError, match=r"num_classes is 10 in the settings .*, but the weights have 12"):
        load_backbone(save(with_classes(weights, 13)), device="cpu")


def test_the_autoencoder_is_asked_for(save):
    with pytest.raises(BackboneError, match=r"works on latents: give `vae`.*stabilityai/sd-vae-ft-ema"):
        load_backbone(save(drop=("vae",)), device="cpu")


def test_the_named_autoencoder_encodes_and_counts_in_the_fingerprint(save, save_vae):
    backbone = load_backbone(save(), device="cpu")
    other = load_backbone(save(), device="cpu", vae=str(save_vae(seed=1)))
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        assert backbone.encode(images).shape == (2, 4, 16, 16)
        assert backbone.decode(backbone.encode(images)).shape == images.shape
    assert other.fingerprint != backbone.fingerprint
