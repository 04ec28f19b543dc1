"""Schedulers with alphas_cumprod: whatever a network predicts, predict_eps and predict_x0 say the same thing."""

import math

import numpy as np
import pytest
import torch

from cfs_explore.backbones.diffusers_schedule import read_scheduler
from cfs_explore.errors import BackboneError

SCHEDULERS = [
    "DDPMScheduler",
    "DDIMScheduler",
    "EulerDiscreteScheduler",
    "DPMSolverMultistepScheduler",
    "PNDMScheduler",
]
LAMS = [9.0, 5.0, 1.0, -2.0, -6.0]


def at_levels(backbone, x0, e):
    levels = [backbone.match(lam) for lam in LAMS]
    a, b = (torch.tensor([getattr(level, k) for level in levels]).view(-1, 1, 1, 1) for k in "ab")
    return levels, a, b, a * x0 + b * e


@pytest.mark.parametrize("scheduler", [s for s in SCHEDULERS if s != "PNDMScheduler"])
@pytest.mark.parametrize("prediction", ["epsilon", "sample", "v_prediction"])
def test_one_truth_from_every_prediction_type(prescribed_backbone, clean_and_noise, scheduler, prediction):
    x0, e = clean_and_noise
    target = {}
    config = {"_class_name": scheduler, "beta_schedule": "linear", "prediction_type": prediction}
    backbone = prescribed_backbone(config, lambda x, t: target["output"])
    levels, a, b, x = at_levels(backbone, x0, e)
    target["output"] = {"epsilon": e, "sample": x0, "v_prediction": a * e - b * x0}[prediction]

    torch.testing.assert_close(backbone.predict_eps(x, levels), e, rtol=1e-4, atol=2e-4)
    error = (backbone.predict_x0(x, levels) - x0) * a / b  # in units of the noise
    assert error.abs().max() < 2e-4
    given, timesteps = backbone.module.given
    torch.testing.assert_close(given, x)
    assert not timesteps.is_floating_point()
    assert timesteps.tolist() == [level.native for level in levels]


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_levels_are_the_schedulers_own(scheduler):
    schedule = read_scheduler({"_class_name": scheduler, "beta_schedule": "linear"}, centers_input=False).schedule
    betas = np.linspace(1e-4, 0.02, 1000)
    abar = np.cumprod(1 - betas)
    level = schedule.match(5.0)
    t = int(level.native)
    assert abs(np.log(abar / (1 - abar)) - 5.0).argmin() == t
    assert level.a**2 == pytest.approx(abar[t], rel=1e-5)
    assert level.a**2 + level.b**2 == pytest.approx(1.0)
    assert level.lam == pytest.approx(math.log(level.a**2 / level.b**2), rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "reach"),
    [
        ({"beta_schedule": "linear"}, 9.21),
        ({"beta_schedule": "squaredcos_cap_v2", "num_train_timesteps": 4000}, 11.53),
        ({"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}, 7.07),
    ],
)
def test_reach_is_theorys_table(changes, reach):
    schedule = read_scheduler({"_class_name": "DDPMScheduler", **changes}, centers_input=False).schedule
    assert schedule.reach[1] == pytest.approx(reach, abs=0.01)


def test_zero_terminal_snr_has_a_finite_reach():
    config = {"_class_name": "DDIMScheduler", "rescale_betas_zero_snr": True}
    low, high = read_scheduler(config, centers_input=False).schedule.reach
    assert math.isfinite(low) and math.isfinite(high)


@pytest.mark.parametrize(
    "config",
    [
        {"_class_name": "FlowMatchEulerDiscreteScheduler"},
        {"_class_name": "CMStochasticIterativeScheduler"},
        {"_class_name": "SCMScheduler"},
    ],
)
def test_a_scheduler_of_another_noising_is_refused(config):
    with pytest.raises(BackboneError, match="neither alphas_cumprod nor a known sigma range"):
        read_scheduler(config, centers_input=False)


@pytest.mark.parametrize("name", ["", "NoSuchScheduler", "UNet2DModel", "load_backbone"])
def test_what_is_not_a_scheduler_is_refused(name):
    with pytest.raises(BackboneError, match="not a scheduler of diffusers"):
        read_scheduler({"_class_name": name}, centers_input=False)


def test_unknown_prediction_type_is_refused():
    with pytest.raises(BackboneError, match="prediction_type must be one of epsilon, sample, v_prediction"):
        read_scheduler({"_class_name": "EulerDiscreteScheduler", "prediction_type": "score"}, centers_input=False)
