"""What is asked of a network in training is what the map reads from it later: input, conditioning and output agree."""

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler, EDMEulerScheduler

from cfs_explore.backbones.conditioning import edm as edm_conditioning
from cfs_explore.backbones.conditioning import linear_alphas_cumprod
from cfs_explore.backbones.uvit_family import BETAS, LAST_STEP, T_MIN, _sde
from cfs_explore.train import objectives

X0 = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (64, 3, 8, 8)).astype(np.float32))


def task(objective, seed=1) -> objectives.Task:
    return objective(X0, torch.Generator().manual_seed(seed))


def noise() -> torch.Tensor:
    """The first thing that every objective draws."""
    return torch.randn(X0.shape, generator=torch.Generator().manual_seed(1))


def test_ddpm_is_the_schedulers_own_noise():
    scheduler = DDPMScheduler()
    drawn = task(objectives.noise_at_steps(scheduler.alphas_cumprod))
    assert torch.equal(drawn.target, noise())
    torch.testing.assert_close(drawn.inputs, scheduler.add_noise(X0, noise(), drawn.conditioning))
    assert drawn.conditioning.dtype == torch.int64 and drawn.conditioning.min() >= 0 and drawn.conditioning.max() < 1000
    assert np.allclose(scheduler.alphas_cumprod, linear_alphas_cumprod(1000), rtol=1e-5)


def test_uvit_is_fed_as_its_loader_feeds_it():
    drawn = task(objectives.noise_in_time(*BETAS, T_MIN, LAST_STEP))
    native = drawn.conditioning / LAST_STEP
    assert native.min() >= T_MIN and native.max() <= 1 and 0.3 < native.mean() < 0.7
    conditioning = _sde()
    for i, t in enumerate(native.tolist()):
        kept = np.exp(-0.25 * t**2 * (BETAS[1] - BETAS[0]) - 0.5 * t * BETAS[0]) ** 2  # Song et al. 2021, equation 33
        level = conditioning.schedule.match(np.log(kept / (1 - kept)))
        assert level.native == pytest.approx(t, abs=1e-5)
        inputs, noise_label = conditioning.inputs(level.a * X0[i] + level.b * noise()[i], torch.tensor(level.native))
        torch.testing.assert_close(drawn.inputs[i], inputs, atol=1e-4, rtol=0)
        assert noise_label.item() == pytest.approx(drawn.conditioning[i].item(), abs=0.01)
    assert torch.equal(conditioning.eps(drawn.target, drawn.inputs, native, 1, 1), noise())


def test_edm_is_fed_as_its_loader_feeds_it_and_its_target_is_the_noise():
    drawn = task(objectives.edm(0.5))
    sigma = (4 * drawn.conditioning).exp()
    x = X0 + sigma.view(-1, 1, 1, 1) * noise()
    conditioning = edm_conditioning(0.002, 80.0, 0.5)
    inputs, noise_label = conditioning.inputs(x, sigma)
    torch.testing.assert_close(drawn.inputs, inputs)
    torch.testing.assert_close(drawn.conditioning, noise_label)
    read = conditioning.eps(drawn.target, x, sigma, torch.ones(1), sigma.view(-1, 1, 1, 1))
    torch.testing.assert_close(read, noise(), atol=2e-3, rtol=0)


def test_edm_agrees_with_diffusers_scheduler():
    scheduler = EDMEulerScheduler()
    drawn = task(objectives.edm(scheduler.config.sigma_data))
    sigma = (4 * drawn.conditioning[0]).exp()
    x = X0[0] + sigma * noise()[0]
    torch.testing.assert_close(drawn.inputs[0], scheduler.precondition_inputs(x, sigma))
    torch.testing.assert_close(scheduler.precondition_outputs(x, drawn.target[0], sigma), X0[0], atol=1e-4, rtol=0)


@pytest.mark.parametrize("seed", range(3))
def test_edm_draws_its_published_levels_and_a_target_of_unit_variance(seed):
    images = 0.5 * torch.randn(4000, 1, 4, 4, generator=torch.Generator().manual_seed(9))
    drawn = objectives.edm(0.5)(images, torch.Generator().manual_seed(seed))
    log_sigma = 4 * drawn.conditioning
    assert abs(log_sigma.mean() + 1.2) < 0.08 and abs(log_sigma.std() - 1.2) < 0.06
    assert abs(drawn.target.std() - 1) < 0.02 and abs(drawn.inputs.std() - 1) < 0.02
