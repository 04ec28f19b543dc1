"""Checks of an EDM network's constructor arguments, before anything is built from them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cfs_explore.backbones.nets.edm_precond import NETWORKS, PRECONDITIONERS, Precond
from cfs_explore.errors import BackboneError

_WHOLE = {
    "img_resolution": (1, 4096),
    "img_channels": (1, 64),
    "label_dim": (0, 100_000),
    "augment_dim": (0, 4096),
    "model_channels": (4, 8192),
    "channel_mult_emb": (1, 64),
    "channel_mult_noise": (1, 64),
    "num_blocks": (1, 64),
    "M": (2, 100_000),
}
_POSITIVE = ("sigma_max", "sigma_data", "beta_d", "beta_min", "epsilon_t", "C_1", "C_2")
_WHOLE_LISTS = {"channel_mult": (1, 12, 64), "attn_resolutions": (0, 64, 4096)}
_CHOICES = {
    "model_type": tuple(NETWORKS),
    "embedding_type": ("positional", "fourier"),
    "encoder_type": ("standard", "skip", "residual"),
    "decoder_type": ("standard", "skip"),
}


def build_network(config: Mapping[str, Any], source: Path) -> Precond:
    """The network of these arguments (``Snapshot.config``), with random weights.

    Raises:
        BackboneError: naming the argument that is missing, unknown or out of range.
    """
    arguments = {key: value for key, value in config.items() if key != "precond"}
    kind = PRECONDITIONERS[config["precond"]]
    _check(arguments, kind, source)
    try:
        return kind(arguments.pop("img_resolution"), arguments.pop("img_channels"), **arguments)
    except (TypeError, ValueError) as error:
        raise BackboneError(f"{source} records arguments that make no network: {error}.") from error


def _check(arguments: Mapping[str, Any], kind: type[Precond], source: Path) -> None:
    for name in ("img_resolution", "img_channels"):
        if name not in arguments:
            raise BackboneError(f"{source} does not record {name}, an argument of {kind.__name__}.")
    for name, value in arguments.items():
        if problem := _problem(name, value):
            raise BackboneError(f"{source}: {name} must be {problem}; got {str(value)[:60]}.")
    if kind.__name__ != "EDMPrecond" and arguments.get("sigma_min", 1) <= 0:
        raise BackboneError(f"{source}: sigma_min must be positive; got {arguments['sigma_min']}.")
    if arguments.get("sigma_min", 0) >= arguments.get("sigma_max", math.inf):
        raise BackboneError(f"{source}: sigma_min must be below sigma_max.")
    own = _named(kind) | _named(Precond)
    network = NETWORKS[arguments.get("model_type", inspect.signature(kind).parameters["model_type"].default)]
    unknown = sorted(set(arguments) - own - _named(network))
    if unknown:
        raise BackboneError(f"{source} records {', '.join(unknown)}, no argument of {kind.__name__} and its network.")
    levels = len(arguments.get("channel_mult", inspect.signature(network).parameters["channel_mult"].default))
    if arguments["img_resolution"] % 2 ** (levels - 1):
        raise BackboneError(
            f"{source}: img_resolution must be divisible by {2 ** (levels - 1)}, for {levels} resolutions; "
            f"got {arguments['img_resolution']}."
        )


def _named(kind: type) -> set[str]:
    return {p.name for p in inspect.signature(kind).parameters.values() if p.kind is not p.VAR_KEYWORD} - {"outputs"}


def _problem(name: str, value: Any) -> str:
    """What the value should have been; empty when it is fine."""
    if name in _WHOLE:
        low, high = _WHOLE[name]
        return "" if _whole(value, low, high) else f"a whole number from {low} to {high}"
    if name in _WHOLE_LISTS:
        low, high, largest = _WHOLE_LISTS[name]
        fits = isinstance(value, list) and low <= len(value) <= high and all(_whole(v, 1, largest) for v in value)
        return "" if fits else f"a list of {low} to {high} whole numbers up to {largest}"
    if name in _CHOICES:
        return "" if value in _CHOICES[name] else f"one of {', '.join(_CHOICES[name])}"
    if name == "resample_filter":
        fits = isinstance(value, list) and len(value) in (2, 4, 6, 8) and all(map(_number, value)) and sum(value) > 0
        return "" if fits else "a list of 2, 4, 6 or 8 numbers"
    if name in _POSITIVE:
        return "" if _number(value) and value > 0 else "a positive number"
    if name in ("sigma_min", "dropout", "label_dropout"):
        return "" if _number(value) and value >= 0 else "a number, zero or more"
    return ""


def _whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
