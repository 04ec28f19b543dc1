"""A Score-SDE checkpoint's configuration, from its keys, the YAML beside it or a preset; asks for what is missing."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch

from cfs_explore.backbones.nets.ncsnpp import Architecture
from cfs_explore.backbones.request import Request, settings_paths
from cfs_explore.backbones.score_sde_keys import read_layers
from cfs_explore.backbones.score_sde_presets import PRESETS
from cfs_explore.errors import BackboneError

SDES = ("vesde", "vpsde", "subvpsde")

#: Sections of the original configuration files.
_SECTIONS = ("training", "data", "model")

#: Fields that no checkpoint determines, with their allowed values.
_CHOICES = {
    "sde": f"one of {', '.join(SDES)}",
    "image_size": "side of the images",
    "continuous": "true or false",
    "centered": "true or false",
    "scale_by_sigma": "true or false",
    "name": "one of ncsnpp, ddpm",
    "fir": "true or false",
    "skip_rescale": "true or false",
    "sigma_min": "a positive number",
    "sigma_max": "a positive number",
    "num_scales": "number of levels",
}

#: Fields that may be given, with what they may be.
_OPTIONAL = {
    "beta_min": "a positive number",
    "beta_max": "a positive number",
    "ch_mult": "a list of whole numbers",
    "attn_resolutions": "a list of whole numbers",
}

#: Fields whose other values no published network has.
_ONLY = {"nonlinearity": "swish", "fir_kernel": (1, 3, 3, 1)}


@dataclass(frozen=True)
class ScoreSde:
    """A network and the SDE that it was trained with.

    Attributes:
        architecture: of the network.
        image_size: side of the images.
        sde: one of ``SDES``.
        continuous: trained at any time, rather than at ``len(sigmas)`` of them.
        sigmas: noise levels of the VE SDE from the highest, float64 (N,).
        beta_min, beta_max: ends of the VP SDEs' linear beta.
    """

    architecture: Architecture
    image_size: int
    sde: str
    continuous: bool
    sigmas: torch.Tensor
    beta_min: float
    beta_max: float


def configure(request: Request, tensors: Mapping[str, torch.Tensor]) -> ScoreSde:
    """The configuration of a checkpoint with these weights.

    Raises:
        BackboneError: naming what is missing, or what contradicts keys and shapes.
    """
    source = request.source
    found = read_layers({name: tuple(value.shape) for name, value in tensors.items()}, source)
    if "sigmas" in tensors:
        sigmas = tensors["sigmas"]
        if sigmas.ndim != 1 or len(sigmas) < 2 or not (sigmas[:-1] > sigmas[1:]).all() or not sigmas[-1] > 0:
            raise BackboneError(f"{source}: its `sigmas` must be a list of noise levels from the highest, above zero.")
        found |= {"sigma_max": float(sigmas[0]), "sigma_min": float(sigmas[-1]), "num_scales": len(sigmas)}
    if found["resblock_type"] == "biggan":
        found["name"] = "ncsnpp"
    if found["embedding_type"] == "fourier":
        found["continuous"] = True
    given = _given(request)
    if found["resblock_type"] == "ddpm" and given.get("name") == "ddpm":
        found["skip_rescale"] = False
    _refuse_contradictions(request, found, given)
    whole = given | found
    missing = [f"{name} ({what})" for name, what in _CHOICES.items() if name not in whole]
    if missing:
        raise BackboneError(
            f"{source} does not determine by its keys: {', '.join(missing)}. Put them into "
            f"{settings_paths(source)[0].name} beside it, by these names, or name a `preset`: {', '.join(PRESETS)}."
        )
    architecture = Architecture(**{field.name: whole[field.name] for field in fields(Architecture)})
    config = ScoreSde(
        architecture,
        whole["image_size"],
        whole["sde"],
        whole["continuous"],
        _sigmas(whole, tensors),
        float(whole.get("beta_min", 0.1)),
        float(whole.get("beta_max", 20.0)),
    )
    _refuse_unknown_combinations(request, config)
    return config


def _given(request: Request) -> dict[str, Any]:
    """What preset and YAML say, checked; attention by its position among the resolutions."""
    if request.preset is not None and request.preset not in PRESETS:
        raise BackboneError(f"There is no Score-SDE preset {request.preset!r}. Known: {', '.join(PRESETS)}.")
    given = dict(PRESETS.get(request.preset, {}))
    if request.schedule is not None:
        given["sde"] = request.schedule
    for section in (request.settings, *(request.settings.get(name) for name in _SECTIONS)):
        if isinstance(section, Mapping):
            given |= {name: _plain(value) for name, value in section.items() if name not in _SECTIONS}
    for name, what in (_CHOICES | _OPTIONAL).items():
        if name in given and not _fits(given[name], what):
            raise BackboneError(f"{request.source}: {name} must be {what}; got {given[name]!r}.")
    for name, only in _ONLY.items():
        if given.get(name, only) != only:
            raise BackboneError(f"{request.source}: {name} must be {only}, as published; got {given[name]!r}.")
    if {"attn_resolutions", "ch_mult", "image_size"} <= set(given):
        sides = [given["image_size"] // 2**level for level in range(len(given["ch_mult"]))]
        given["attention"] = tuple(level for level, side in enumerate(sides) if side in given["attn_resolutions"])
    return given


def _plain(value: Any) -> Any:
    """Lists, and tuples written as text, as tuples; names in lower case."""
    if isinstance(value, str) and re.fullmatch(r"\([\d, ]*\)", value.strip()):
        return tuple(map(int, re.findall(r"\d+", value)))
    if isinstance(value, list):
        return tuple(value)
    return value.lower() if isinstance(value, str) else value


def _fits(value: Any, what: str) -> bool:
    if what == "true or false":
        return isinstance(value, bool)
    if what == "a positive number":
        return isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    if what == "a list of whole numbers":
        return isinstance(value, tuple) and all(_whole(item) for item in value)
    if what in ("side of the images", "number of levels"):
        return _whole(value)
    return value in re.findall(r"\w+", what.removeprefix("one of "))


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _refuse_contradictions(request: Request, found: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    wrong = [
        f"{name} is {value!r}, not {given[name]!r}"
        for name, value in found.items()
        if name in given and not _same(value, given[name])
    ]
    if wrong:
        says = f"preset {request.preset!r}" if request.preset else f"{settings_paths(request.source)[0].name} beside it"
        raise BackboneError(
            f"{request.source} is another network than its configuration ({says}): by its keys and shapes, "
            f"{'; '.join(wrong)}. Name the configuration that it was trained with."
        )


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float):
        return isinstance(other, int | float) and math.isclose(one, other, rel_tol=1e-3)
    return one == other


def _sigmas(whole: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
    if "sigmas" in tensors:
        return tensors["sigmas"].double()
    ends = (math.log(float(whole[name])) for name in ("sigma_max", "sigma_min"))
    return torch.linspace(*ends, whole["num_scales"], dtype=torch.float64).exp()


def _refuse_unknown_combinations(request: Request, config: ScoreSde) -> None:
    """Of what the original code allows, only what defines a noise level."""
    exploding, fourier = config.sde == "vesde", config.architecture.embedding_type == "fourier"
    if not exploding and not config.architecture.centered:
        raise BackboneError(f"{request.source}: {config.sde} needs `centered: true`, images in [-1, 1].")
    if exploding and config.continuous != fourier:
        raise BackboneError(
            f"{request.source}: continuous vesde needs a fourier embedding, discrete vesde a positional one; "
            f"this network has a {config.architecture.embedding_type} embedding, so `continuous` must be "
            f"{str(fourier).lower()}."
        )
    if config.sde == "subvpsde" and not config.continuous:
        raise BackboneError(f"{request.source}: subvpsde needs `continuous: true`.")
    for low, high, names in (
        (config.sigmas[-1], config.sigmas[0], "sigma_min must be below sigma_max"),
        (config.beta_min, config.beta_max, "beta_min must be below beta_max"),
    ):
        if not low < high:
            raise BackboneError(f"{request.source}: {names}; got {float(low):g} and {float(high):g}.")
    halvings = len(config.architecture.ch_mult) - 1
    if config.image_size % 2**halvings:
        raise BackboneError(
            f"{request.source}: image_size must be divisible by {2**halvings}, for {halvings + 1} resolutions; "
            f"got {config.image_size}."
        )
