"""What a diffusers scheduler says of its network: noise schedule, conditioning, meaning of the output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import diffusers
import numpy as np
import torch

from cfs_explore.backbones.base import as_images
from cfs_explore.errors import BackboneError
from cfs_explore.levels import ContinuousVE, DiscreteVP, Schedule

#: Schedules that a user can name for a folder that holds a network and no scheduler.
NAMED_SCHEDULES = {
    "ddpm-linear-1000": {"_class_name": "DDPMScheduler", "beta_schedule": "linear"},
    "ddpm-cosine-1000": {"_class_name": "DDPMScheduler", "beta_schedule": "squaredcos_cap_v2"},
    "sd-scaled-linear-1000": {
        "_class_name": "DDPMScheduler",
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "beta_end": 0.012,
    },
}

#: Schedulers of EDM's preconditioning; others with a ``sigma_data`` (consistency models) condition differently.
_EDM_SCHEDULERS = ("EDMEulerScheduler", "EDMDPMSolverMultistepScheduler")


@dataclass(frozen=True)
class Conditioning:
    """How a network is fed at a level, and how its output reads. All functions take per-image amplitudes.

    Attributes:
        schedule: log-SNR <-> native.
        inputs: (x_lam (B, C, H, W), native (B,)) -> (network input, network conditioning (B,)).
        eps: (output, x_lam, native, a, b) -> estimated noise; a, b of shape (B, 1, 1, 1).
    """

    schedule: Schedule
    inputs: Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
    eps: Callable[..., torch.Tensor]


def read_scheduler(config: dict, *, centers_input: bool) -> Conditioning:
    """Conditioning of a diffusers scheduler configuration.

    Args:
        config: the content of ``scheduler_config.json``.
        centers_input: the network maps [0, 1] to [-1, 1] itself (``center_input_sample``).

    Raises:
        BackboneError: for a scheduler without ``alphas_cumprod`` and without a known sigma range.
    """
    name = config.get("_class_name", "")
    scheduler_class = getattr(diffusers, name, None)
    if not (isinstance(scheduler_class, type) and issubclass(scheduler_class, diffusers.SchedulerMixin)):
        raise BackboneError(f"The scheduler config names {name!r}, which is not a scheduler of diffusers.")
    scheduler = scheduler_class.from_config(config)
    if name == "ScoreSdeVeScheduler":
        return _variance_exploding(scheduler.config, centers_input=centers_input)
    if name in _EDM_SCHEDULERS:
        return _edm(scheduler.config)
    alphas_cumprod = getattr(scheduler, "alphas_cumprod", None)
    if alphas_cumprod is None:
        raise BackboneError(
            f"The scheduler {name} has neither alphas_cumprod nor a known sigma range, so its noise levels are "
            "unknown. Use the folder's training scheduler, such as DDPMScheduler, ScoreSdeVeScheduler or "
            "EDMEulerScheduler."
        )
    return _discrete(alphas_cumprod.double().numpy(), scheduler.config.get("prediction_type", "epsilon"))


def _discrete(alphas_cumprod: np.ndarray, prediction: str) -> Conditioning:
    """DDPM family: input x_t, conditioning t, output eps, x0 or v (Salimans and Ho 2022)."""
    readers = {
        "epsilon": lambda out, x, native, a, b: out,
        "sample": lambda out, x, native, a, b: (x - a * out) / b,
        "v_prediction": lambda out, x, native, a, b: a * out + b * x,
    }
    if prediction not in readers:
        raise BackboneError(f"prediction_type must be one of {', '.join(readers)}; got {prediction!r}.")
    return Conditioning(DiscreteVP(alphas_cumprod), lambda x, native: (x, native.long()), readers[prediction])


def _variance_exploding(config: dict, *, centers_input: bool) -> Conditioning:
    """Score-SDE VE (Song et al. 2021): conditioning sigma, output the score -e / sigma.

    A network that centres its input was trained on images in [0, 1]: it is given (x + 1) / 2 and sigma / 2, the
    same signal-to-noise ratio.
    """
    scale = 0.5 if centers_input else 1.0

    def inputs(x: torch.Tensor, native: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return (x + 1.0) / 2.0 if centers_input else x, native * scale

    def eps(out, x, native, a, b):
        return -as_images(native * scale) * out

    schedule = ContinuousVE(config["sigma_min"] / scale, config["sigma_max"] / scale)
    return Conditioning(schedule, inputs, eps)


def _edm(config: dict) -> Conditioning:
    """EDM preconditioning (Karras et al. 2022, table 1): scaled input, conditioning ln(sigma) / 4."""
    data = float(config["sigma_data"])
    sign = -1.0 if config.get("prediction_type", "epsilon") == "v_prediction" else 1.0

    def inputs(x: torch.Tensor, native: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x / as_images((native**2 + data**2).sqrt()), 0.25 * native.log()

    def eps(out, x, native, a, b):
        sigma = as_images(native)
        c_skip = data**2 / (sigma**2 + data**2)
        c_out = sign * sigma * data / (sigma**2 + data**2).sqrt()
        return (x - (c_skip * x + c_out * out)) / sigma

    return Conditioning(ContinuousVE(config["sigma_min"], config["sigma_max"]), inputs, eps)
