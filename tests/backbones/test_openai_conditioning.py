"""What iDDPM and ADM networks are conditioned on and predict: levels, noise or image, and classes."""

import math

import numpy as np
import openai_checkpoints
import pytest
import torch
from network_times import network_time
from openai_checkpoints import ADM, ADM_CLASSES, IMPROVED
from original_weights import fixture

from cfs_explore.backbones import load_backbone
from cfs_explore.errors import BackboneError

# Fixtures
weights, save = openai_checkpoints.weights, openai_checkpoints.save


@pytest.mark.parametrize(
    ("name", "steps", "schedule"),
    [(IMPROVED, 4000, "cosine"), (IMPROVED, 1000, "linear"), (ADM, 1000, "cosine"), (ADM, 4000, "linear")],
)
def test_levels_follow_the_schedule(save, name, steps, schedule):
    backbone = load_backbone(save(name, diffusion_steps=steps, noise_schedule=schedule), device="cpu")
    log_abar, lams = 0.0, []
    for t in range(steps):  # theory (1), one step at a time
        if schedule == "linear":
            beta = 0.1 / steps + t / (steps - 1) * (20.0 - 0.1) / steps
        else:
            f = [math.cos((s / steps + 0.008) / 1.008 * math.pi / 2) ** 2 for s in (t, t + 1)]
            beta = min(1 - f[1] / f[0], 0.999)
        log_abar += math.log1p(-beta)
        lams.append(log_abar - math.log(-math.expm1(log_abar)))
    for lam in (9.0, 5.0, 1.3, -4.0):
        level = backbone.match(lam)
        nearest = int(np.argmin(np.abs(np.array(lams) - lam)))
        assert level.native == nearest
        assert level.lam == pytest.approx(lams[nearest])
        assert 2 * math.log(level.a / level.b) == pytest.approx(level.lam)
    assert backbone.reach[1] == pytest.approx(lams[0])


def test_the_reach_is_that_of_the_theory(save):
    assert load_backbone(save(IMPROVED), device="cpu").reach[1] == pytest.approx(11.53, abs=0.01)


def test_rescaled_networks_are_conditioned_on_their_level_and_published_ones_the_raw_step(save):
    backbone = load_backbone(save(IMPROVED), device="cpu")
    level = backbone.match(5.0)
    assert torch.allclose(network_time(backbone, level).double(), torch.full((2,), level.native / 4).double())
    published = backbone.published()
    assert torch.equal(network_time(published, level), torch.full((2,), int(level.native)))
    assert published.match(5.0) == level
    assert published.fingerprint != backbone.fingerprint
    # theory (1): at lam = 5 the paper's code tells a network of 4000 steps the level lam = 2.4
    assert published.match(2.4).native == pytest.approx(4 * level.native, abs=20)


def test_networks_without_rescaling_are_conditioned_on_the_step_and_have_no_published_variant(save):
    for name, changes in ((ADM, {}), (IMPROVED, {"rescale_timesteps": False}), (IMPROVED, {"diffusion_steps": 1000})):
        backbone = load_backbone(save(name, **changes), device="cpu")
        level = backbone.match(5.0)
        assert torch.equal(network_time(backbone, level), torch.full((2,), int(level.native)))
        assert backbone.published() is None


def test_learned_variances_are_left_out_of_the_noise(save):
    backbone = load_backbone(save(ADM), device="cpu")
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    level = backbone.match(1.0)
    with torch.no_grad():
        out, eps, x0 = (f(x, level) for f in (backbone.forward, backbone.predict_eps, backbone.predict_x0))
    assert out.shape == (2, 6, 32, 32) and torch.equal(eps, out[:, :3])
    assert torch.allclose(level.a * x0 + level.b * eps, x, atol=1e-4)


def test_networks_that_predict_the_image_are_read_as_such(save):
    backbone = load_backbone(save(ADM, predict_xstart=True), device="cpu")
    x = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    level = backbone.match(0.0)
    with torch.no_grad():
        assert torch.allclose(backbone.predict_x0(x, level), backbone.forward(x, level)[:, :3], atol=1e-4)


def test_a_class_for_a_network_without_classes_is_refused(save):
    with pytest.raises(BackboneError, match="knows no classes: leave `label` out"):
        load_backbone(save(ADM), device="cpu", label=0)


def test_a_class_is_asked_for_and_used(save):
    path = save(ADM_CLASSES)
    for label in (None, 10, -1):
        with pytest.raises(BackboneError, match=r"no null class: give `label`.* 0 to 9"):
            load_backbone(path, device="cpu", label=label)
    three, seven = (load_backbone(path, device="cpu", label=label) for label in (3, 7))
    original = fixture(ADM_CLASSES)
    x, level = original.tensor("input.x"), three.match(2.0)
    with torch.no_grad():
        outputs = [backbone.forward(x, level) for backbone in (three, seven)]
        given = three.module(x, torch.full((2,), int(level.native)), torch.tensor([3, 3]))
    assert torch.equal(outputs[0], given)
    assert (outputs[0] - outputs[1]).abs().max() > 1e-3
    assert three.fingerprint != seven.fingerprint


def test_the_class_may_stand_in_the_settings(save):
    path = save(ADM_CLASSES, label=3)
    assert load_backbone(path, device="cpu").fingerprint == load_backbone(path, device="cpu", label=3).fingerprint
