"""Sigma-based schedulers: score-SDE VE and EDM preconditioning, against diffusers' own and against the truth."""

import pytest
import torch
from diffusers import EDMEulerScheduler

from cfs_explore.backbones import load_backbone
from cfs_explore.backbones.diffusers_schedule import read_scheduler
from cfs_explore.backbones.nets.plain_unet import PlainUNet

LAMS = [9.0, 4.0, 1.0, -2.0, -6.0]


def at_levels(backbone, x0, e):
    levels = [backbone.match(lam) for lam in LAMS]
    sigma = torch.tensor([level.native for level in levels]).view(-1, 1, 1, 1)
    return levels, sigma, x0 + sigma * e


@pytest.mark.parametrize("centers_input", [False, True])
def test_variance_exploding_score(prescribed_backbone, clean_and_noise, centers_input):
    """A network trained on [0, 1] sees half the signal and half the noise; the answer must not change."""
    x0, e = clean_and_noise
    config = {"_class_name": "ScoreSdeVeScheduler", "sigma_min": 0.005, "sigma_max": 348.0}
    own = (lambda v: (v + 1) / 2) if centers_input else (lambda v: v)
    backbone = prescribed_backbone(
        config,
        lambda x, sigma: (own(x0) - x) / sigma.view(-1, 1, 1, 1) ** 2,  # the exact score of N(x0, sigma^2)
        centers_input=centers_input,
    )
    levels, sigma, x = at_levels(backbone, x0, e)
    assert [level.lam for level in levels] == pytest.approx(LAMS)
    torch.testing.assert_close(backbone.predict_eps(x, levels), e, rtol=1e-3, atol=1e-3)
    assert ((backbone.predict_x0(x, levels) - x0) / sigma).abs().max() < 1e-3
    given, condition = backbone.module.given
    torch.testing.assert_close(given, own(x))
    torch.testing.assert_close(condition, sigma.flatten() * (0.5 if centers_input else 1.0))


def test_centred_input_reaches_half_as_far(prescribed_backbone):
    """sigma of [0, 1] images is 2 sigma on [-1, 1]: both ends of the reach move by 2 ln 2."""
    config = {"_class_name": "ScoreSdeVeScheduler", "sigma_min": 0.005, "sigma_max": 348.0}
    plain, centred = (read_scheduler(config, centers_input=c).schedule.reach for c in (False, True))
    assert [p - c for p, c in zip(plain, centred, strict=True)] == pytest.approx([1.3863, 1.3863], abs=1e-4)


def test_centre_flag_of_a_real_network_is_read(save_unet):
    config = {"_class_name": "ScoreSdeVeScheduler", "sigma_min": 0.005, "sigma_max": 348.0}
    backbone = load_backbone(save_unet(config, center_input_sample=True), device="cpu")
    assert isinstance(backbone.module, PlainUNet)
    assert backbone.match(0.0).native == pytest.approx(1.0)
    x = torch.linspace(-1, 1, 64).view(1, 1, 8, 8)
    level = backbone.match(0.0)
    with torch.no_grad():
        expected = backbone.module((x + 1) / 2, torch.tensor([0.5]))
        torch.testing.assert_close(backbone.forward(x, level), expected)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_edm_is_diffusers_own_preconditioning(prescribed_backbone, clean_and_noise, prediction):
    x0, e = clean_and_noise
    scheduler = EDMEulerScheduler(prediction_type=prediction)
    raw = torch.randn(x0.shape, generator=torch.Generator().manual_seed(1))
    config = {"_class_name": "EDMEulerScheduler", "prediction_type": prediction}
    backbone = prescribed_backbone(config, lambda x, t: raw)
    levels, sigma, x = at_levels(backbone, x0, e)
    x0_hat = backbone.predict_x0(x, levels)
    given, condition = backbone.module.given
    torch.testing.assert_close(given, scheduler.precondition_inputs(x, sigma))
    torch.testing.assert_close(condition, scheduler.precondition_noise(sigma).flatten())
    expected = scheduler.precondition_outputs(x, raw, sigma)
    torch.testing.assert_close(x0_hat, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(backbone.predict_eps(x, levels), (x - expected) / sigma, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("scheduler", ["EDMEulerScheduler", "EDMDPMSolverMultistepScheduler"])
def test_edm_reach_and_exact_levels(scheduler):
    schedule = read_scheduler({"_class_name": scheduler, "sigma_min": 0.002}, centers_input=False).schedule
    assert schedule.reach[1] == pytest.approx(12.43, abs=0.005)
    level = schedule.match(3.3)
    assert (level.lam, level.a) == (3.3, 1.0)
    assert level.b == level.native == pytest.approx(0.19205, rel=1e-4)


def test_out_of_reach_stops_at_the_end_and_says_so(prescribed_backbone):
    config = {"_class_name": "EDMEulerScheduler", "sigma_min": 0.002}
    backbone = prescribed_backbone(config, lambda x, t: x)
    assert backbone.match(20.0).native == pytest.approx(0.002)
    (note,) = backbone.out_of_reach([20.0, 5.0])
    assert "lam = 20 is out of the backbone's reach" in note and "12.43" in note
