"""What a diffusers scheduler says of its network: noise schedule, conditioning, meaning of the output."""

from __future__ import annotations

import diffusers

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
