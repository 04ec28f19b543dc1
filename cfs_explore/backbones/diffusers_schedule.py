"""What a diffusers scheduler says of its network: noise schedule, conditioning, meaning of the output."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import torch

from cfs_explore.backbones.checkpoint import UNFIT
from cfs_explore.backbones.conditioning import Conditioning, discrete, edm, variance_exploding
from cfs_explore.errors import BackboneError

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
    "flow-1000": {"_class_name": "FlowMatchEulerDiscreteScheduler"},
}

#: Schedulers of EDM's preconditioning; others with a ``sigma_data`` (consistency models) condition differently.
_EDM_SCHEDULERS = ("EDMEulerScheduler", "EDMDPMSolverMultistepScheduler")
_MOST_STEPS = 1_000_000


def read_scheduler(config: dict, *, centers_input: bool) -> Conditioning:
    """Conditioning of a diffusers scheduler configuration.

    Args:
        config: the content of ``scheduler_config.json``.
        centers_input: the network maps [0, 1] to [-1, 1] itself (``center_input_sample``).

    Raises:
        BackboneError: for a scheduler without ``alphas_cumprod`` and without a known sigma range, and for one whose
            settings have wrong types or give no noise levels.
    """
    steps = config.get("num_train_timesteps", 1)
    if isinstance(steps, bool) or not isinstance(steps, int) or not 1 <= steps <= _MOST_STEPS:
        raise BackboneError(
            f"num_train_timesteps of the scheduler is {str(steps)[:80]!r}; allowed is 1 to {_MOST_STEPS:,}."
        )
    try:
        return _read(config, centers_input)
    except UNFIT as error:
        raise BackboneError(
            f"The scheduler config ({str(config.get('_class_name'))[:80]!r}) gives no noise levels: "
            f"{' '.join(str(error).split())[:300]}. Correct it, or name its schedule with `schedule`."
        ) from error


def _read(config: dict, centers_input: bool) -> Conditioning:
    plain = _read_plain(config)
    if plain is not None:
        return plain
    import diffusers  # takes longer than torch; what most folders name is read without it

    name = config.get("_class_name", "")
    scheduler_class = getattr(diffusers, name, None)
    if not (isinstance(scheduler_class, type) and issubclass(scheduler_class, diffusers.SchedulerMixin)):
        raise BackboneError(f"The scheduler config names {name!r}, which is not a scheduler of diffusers.")
    scheduler = scheduler_class.from_config(config)
    settings = scheduler.config
    if name == "ScoreSdeVeScheduler":
        return variance_exploding(settings["sigma_min"], settings["sigma_max"], unit_images=centers_input)
    if name in _EDM_SCHEDULERS:
        sign = -1.0 if settings.get("prediction_type", "epsilon") == "v_prediction" else 1.0
        return edm(settings["sigma_min"], settings["sigma_max"], float(settings["sigma_data"]), sign=sign)
    alphas_cumprod = getattr(scheduler, "alphas_cumprod", None)
    if alphas_cumprod is None:
        raise BackboneError(
            f"The scheduler {name} has neither alphas_cumprod nor a known sigma range, so its noise levels are "
            "unknown. Use the folder's training scheduler, such as DDPMScheduler, ScoreSdeVeScheduler or "
            "EDMEulerScheduler."
        )
    return discrete(alphas_cumprod.double().numpy(), settings.get("prediction_type", "epsilon"))


def _read_plain(config: Mapping[str, Any]) -> Conditioning | None:
    """Of the two schedulers that most folders name, in their usual settings; None for all others."""
    name, prediction = config.get("_class_name"), config.get("prediction_type", "epsilon")
    if name == "EDMEulerScheduler" and {"sigma_min", "sigma_max", "sigma_data"} <= set(config):
        sign = -1.0 if prediction == "v_prediction" else 1.0
        return edm(config["sigma_min"], config["sigma_max"], float(config["sigma_data"]), sign=sign)
    usual = config.get("trained_betas") is None and not config.get("rescale_betas_zero_snr")
    if name != "DDPMScheduler" or not usual or config.get("beta_schedule", "linear") not in _BETAS:
        return None
    ends = (config.get("beta_start", 0.0001), config.get("beta_end", 0.02))
    betas = _BETAS[config.get("beta_schedule", "linear")](*ends, config.get("num_train_timesteps", 1000))
    return discrete(torch.cumprod(1.0 - betas, dim=0).double().numpy(), prediction)


def _cosine(_start: float, _end: float, steps: int) -> torch.Tensor:
    """Nichol and Dhariwal 2021, equation 17."""
    signal = [math.cos((t / steps + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(steps + 1)]
    return torch.tensor([min(1 - after / before, 0.999) for before, after in itertools.pairwise(signal)])


#: Name -> (first beta, last beta, steps) -> betas in float32, to the last bit those of diffusers.
_BETAS = {
    "linear": lambda start, end, steps: torch.linspace(start, end, steps),
    "scaled_linear": lambda start, end, steps: torch.linspace(start**0.5, end**0.5, steps) ** 2,
    "squaredcos_cap_v2": _cosine,
}
