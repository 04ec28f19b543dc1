"""What a network is fed and what it is asked for, per family; the loss is the mean squared error to the target.

Random numbers come from a generator on the CPU, so that a training does not depend on its device.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch

from cfs_explore.backbones.base import as_images


class Task(NamedTuple):
    """A batch of a training: network input (B, C, H, W), its conditioning (B,), target (B, C, H, W)."""

    inputs: torch.Tensor
    conditioning: torch.Tensor
    target: torch.Tensor


#: (images x0 (B, C, H, W) in [-1, 1], generator) -> Task.
Objective = Callable[[torch.Tensor, torch.Generator], Task]


def noise_at_steps(alphas_cumprod: torch.Tensor) -> Objective:
    """Noise prediction at uniform steps (Ho et al. 2020, algorithm 1).

    Args:
        alphas_cumprod: abar_t, (T,).
    """

    def draw(x0: torch.Tensor, generator: torch.Generator) -> Task:
        noise = torch.randn(x0.shape, generator=generator)
        t = torch.randint(len(alphas_cumprod), (len(x0),), generator=generator)
        kept = as_images(alphas_cumprod[t])
        return Task(kept.sqrt() * x0 + (1 - kept).sqrt() * noise, t, noise)

    return draw


def noise_in_time(beta_min: float, beta_max: float, t_min: float, time_scale: float) -> Objective:
    """Noise prediction at uniform times of the VP SDE (Song et al. 2021, equation 33), as U-ViT is trained.

    Args:
        beta_min, beta_max: of the linear beta(t).
        t_min: smallest time.
        time_scale: the network is conditioned on the time times this.
    """

    def draw(x0: torch.Tensor, generator: torch.Generator) -> Task:
        noise = torch.randn(x0.shape, generator=generator)
        t = t_min + (1 - t_min) * torch.rand(len(x0), generator=generator)
        kept = as_images(torch.exp(-0.5 * t**2 * (beta_max - beta_min) - t * beta_min))
        return Task(kept.sqrt() * x0 + (1 - kept).sqrt() * noise, time_scale * t, noise)

    return draw


def edm(sigma_data: float, mean: float = -1.2, deviation: float = 1.2) -> Objective:
    """EDM's loss (Karras et al. 2022, table 1): with its weights, the raw network's output has unit variance to hit.

    Args:
        sigma_data: standard deviation of the images.
        mean, deviation: of ln sigma in training.
    """

    def draw(x0: torch.Tensor, generator: torch.Generator) -> Task:
        noise = torch.randn(x0.shape, generator=generator)
        log_sigma = mean + deviation * torch.randn(len(x0), generator=generator)
        sigma = as_images(log_sigma.exp())
        x, total = x0 + sigma * noise, sigma**2 + sigma_data**2
        skip, out = sigma_data**2 / total, sigma * sigma_data / total.sqrt()
        return Task(x / total.sqrt(), log_sigma / 4, (x0 - skip * x) / out)

    return draw
