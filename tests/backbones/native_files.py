"""Checkpoint files as the original training of each family writes them, with a fixture's weights."""

from pathlib import Path

import torch
import yaml
from edm_pickle_writer import network, write_snapshot
from original_weights import fixture, state_dict_of
from score_sde_names import from_edm, sigmas

_EXTRAS = ("format", "noise_cond", "seed", "state_dict", "blocks")
_SCORE_SDE = {"sde": "vesde", "continuous": True, "centered": False, "scale_by_sigma": True, "image_size": 32,
              "skip_rescale": True, "name": "ncsnpp", "fir": True}  # fmt: skip

#: Families whose files hold a state dict.
TENSORS = ("improved-diffusion", "guided-diffusion", "score-sde")


def weights_of(family: str) -> dict[str, torch.Tensor]:
    """A network's parameters under the names of its family's files."""
    if family == "score-sde":
        original = fixture("edm_ve_ncsnpp")
        return from_edm(state_dict_of(original), list(original.config["blocks"])).tensors
    return state_dict_of(fixture(family.replace("-", "_")))


def settings_of(family: str) -> dict:
    """What stands beside such a file."""
    if family == "score-sde":
        return _SCORE_SDE | {"sigma_min": 0.01, "sigma_max": 50.0, "num_scales": 1000}
    return {name: value for name, value in fixture(family.replace("-", "_")).config.items() if name not in _EXTRAS}


def save(path: Path, family: str, content, **options) -> Path:
    """Write a content with torch.save, and the family's settings beside it."""
    torch.save(content, path, **options)
    path.with_suffix(".yaml").write_text(yaml.safe_dump(settings_of(family)))
    return path


def training_checkpoint(family: str) -> dict:
    """The averaged weights beside other, raw ones and an optimizer's state, as trainings keep them."""
    weights = weights_of(family)
    fixed = {name: value for name, value in weights.items() if name == "all_modules.0.W"}
    raw = {name: torch.zeros_like(value) for name, value in weights.items()} | fixed
    optimizer = {"state": {0: {"step": 1, "exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 2e-4, "params": [0]}]}
    if family == "score-sde":
        raw = {f"module.{name}": value for name, value in ({"sigmas": sigmas(0.01, 50.0, 1000)} | raw).items()}
        shadow = [value for name, value in weights.items() if name not in fixed]
        averaged = {"decay": 0.999, "num_updates": 950001, "shadow_params": shadow}
    else:
        averaged = weights
    return {"model": raw, "ema": averaged, "optimizer": optimizer, "step": 950001}


def write_native(folder: Path, name: str) -> Path:
    """A whole file: of a family of ``TENSORS``, or of the EDM fixture of this name."""
    if name in TENSORS:
        return save(folder / "model.pt", name, weights_of(name))
    original = fixture(name)
    return write_snapshot(folder / f"{name}.pkl", network(original, state_dict_of(original)))
