"""Configuration of iDDPM and ADM networks: what the weights determine, and what must be given with them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cfs_explore.backbones.nets.openai_unet import Architecture
from cfs_explore.backbones.openai_presets import CHANNEL_MULT, PRESETS
from cfs_explore.backbones.request import Request
from cfs_explore.errors import BackboneError

SCHEDULES = ("linear", "cosine")

#: Arguments that only ADM's scripts have.
ADM_ONLY = ("num_head_channels", "resblock_updown", "use_new_attention_order")

#: Arguments of the original scripts that change nothing here: training, sampling, precision.
_IGNORED = (
    *("dropout", "use_checkpoint", "use_fp16", "use_kl", "rescale_learned_sigmas", "sigma_small", "data_dir", "seed"),
    *("schedule_sampler", "lr", "weight_decay", "lr_anneal_steps", "batch_size", "microbatch", "ema_rate"),
    *("log_interval", "save_interval", "resume_checkpoint", "fp16_scale_growth", "timestep_respacing", "use_ddim"),
    *("clip_denoised", "num_samples", "model_path", "classifier_path", "classifier_scale"),
)


@dataclass(frozen=True)
class Config:
    """A network and its diffusion, in the original scripts' terms."""

    architecture: Architecture
    image_size: int
    diffusion_steps: int
    noise_schedule: str
    rescale_timesteps: bool
    predict_xstart: bool


@dataclass(frozen=True)
class Given:
    """One setting, and where it was given."""

    value: Any
    where: str


def configure(family: str, weights: Architecture, request: Request) -> Config:
    """Join what the weights determine with the settings beside them and the preset that was named.

    Args:
        family: improved-diffusion or guided-diffusion.
        weights: from ``read_architecture``, without heads.
        request: its settings stand before its preset's, and its schedule before both.

    Raises:
        BackboneError: for an unknown name, a value of the wrong kind, one that contradicts the weights, or a missing
            one; each is named.
    """
    given = _collect(family, request)
    _check_missing(family, given, request)
    value = {name: entry.value for name, entry in given.items()}
    steps = value["diffusion_steps"]
    config = Config(
        architecture=replace(
            weights,
            num_heads=_unless_unset(value.get("num_heads")),
            num_heads_upsample=_unless_unset(value.get("num_heads_upsample")),
            num_head_channels=_unless_unset(value.get("num_head_channels")),
            use_new_attention_order=value.get("use_new_attention_order", False),
        ),
        image_size=value["image_size"],
        diffusion_steps=steps,
        noise_schedule=value["noise_schedule"],
        rescale_timesteps=value.get("rescale_timesteps", False) and steps != 1000,
        predict_xstart=value.get("predict_xstart", False),
    )
    _check_against_weights(family, given, config)
    _check_heads(config.architecture, given)
    return config


def _collect(family: str, request: Request) -> dict[str, Given]:
    """Settings over preset; every name known, every value of its kind."""
    given: dict[str, Given] = {}
    if request.preset is not None:
        where = f"the preset {request.preset}"
        given = {name: Given(value, where) for name, value in _preset(family, str(request.preset)).items()}
    beside = f"the settings beside {request.source.name}"
    settings = {str(name): Given(value, beside) for name, value in request.settings.items() if name not in _IGNORED}
    if request.schedule is not None:
        settings["noise_schedule"] = Given(request.schedule, "`schedule`")
    for name, entry in settings.items():
        _check_kind(name, entry)
    if "num_heads" in settings:
        given.pop("num_head_channels", None)  # a preset's head channels would win over the number that is wanted
    return given | settings


def _preset(family: str, name: str) -> Mapping[str, Any]:
    if name in PRESETS[family]:
        return PRESETS[family][name]
    owner = next((key for key, presets in PRESETS.items() if name in presets), None)
    known = f"Presets of {family}: {', '.join(PRESETS[family])}."
    if owner is not None:
        raise BackboneError(f"The preset {name} belongs to {owner}, but these are weights of {family}. {known}")
    raise BackboneError(f"There is no preset {name!r}.{_suggestion(name, PRESETS[family])} {known}")


def _check_kind(name: str, entry: Given) -> None:
    if name not in _KINDS:
        raise BackboneError(
            f"Unknown setting {name!r} in {entry.where}.{_suggestion(name, _KINDS)} Known: {', '.join(_KINDS)}."
        )
    right, wanted = _KINDS[name]
    if not right(entry.value):
        raise BackboneError(f"{name} must be {wanted}; {entry.where} gives {entry.value!r}.")


def _check_missing(family: str, given: Mapping[str, Given], request: Request) -> None:
    missing = [name for name in ("image_size", "diffusion_steps", "noise_schedule") if name not in given]
    if not any(name in given and _unless_unset(given[name].value) for name in ("num_heads", "num_head_channels")):
        missing.insert(1, "num_heads or num_head_channels")
    rescaling_matters = "diffusion_steps" not in given or given["diffusion_steps"].value != 1000
    if rescaling_matters and "rescale_timesteps" not in given:
        missing.append("rescale_timesteps")
    if family == "guided-diffusion" and "use_new_attention_order" not in given:
        missing.append("use_new_attention_order")
    if missing:
        raise BackboneError(
            f"The weights in {request.source} do not determine everything; missing: {', '.join(missing)}. Write them, "
            f"these names, in {request.source.with_suffix('.yaml').name} beside the file (`name: value` lines), or "
            f"name the preset of a released checkpoint: {', '.join(PRESETS[family])}."
        )


def _check_against_weights(family: str, given: Mapping[str, Given], config: Config) -> None:
    """Every setting that the weights also determine must agree with them."""
    net, size = config.architecture, config.image_size
    found = {
        "num_channels": net.num_channels,
        "num_res_blocks": net.num_res_blocks,
        "use_scale_shift_norm": net.use_scale_shift_norm,
        "resblock_updown": net.resblock_updown,
        "in_channels": net.in_channels,
        "out_channels": net.out_channels,
        "learn_sigma": net.out_channels != net.in_channels,
        "class_cond": net.num_classes is not None,
        "num_classes": net.num_classes,
    }
    if not net.resblock_updown:  # else it changes nothing, and leaves no trace
        found["conv_resample"] = net.conv_resample
    for name, value in found.items():
        if name in given and given[name].value != value:
            _contradiction(name, given[name], given[name].value, value)
    if "channel_mult" in given:
        wanted = _multipliers(given["channel_mult"].value) or CHANNEL_MULT[family].get(size)
        if wanted is not None and tuple(int(m * net.num_channels) for m in wanted) != net.level_channels:
            value = [width / net.num_channels for width in net.level_channels]
            _contradiction("channel_mult", given["channel_mult"], _listed(wanted), _listed(value))
    if size % 2 ** (len(net.level_channels) - 1):
        raise BackboneError(
            f"image_size is {size} in {given['image_size'].where}, but the network halves it "
            f"{len(net.level_channels) - 1} times; it must be a multiple of {2 ** (len(net.level_channels) - 1)}."
        )
    if "attention_resolutions" in given:
        _check_attention(given["attention_resolutions"], size, net)


def _check_attention(entry: Given, size: int, net: Architecture) -> None:
    strides = {size // int(resolution) for resolution in _numbers(entry.value)}
    wanted = tuple(level for level in range(len(net.level_channels)) if 2**level in strides)
    if wanted != net.attention_levels:
        given, found = (_listed(size // 2**i for i in levels) or "none" for levels in (wanted, net.attention_levels))
        _contradiction("attention_resolutions", entry, f"{entry.value!r} (of {size}: {given})", found)


def _contradiction(name: str, entry: Given, given: Any, found: Any) -> None:
    raise BackboneError(
        f"{name} is {given} in {entry.where}, but the weights have {found}. Correct it, or give the weights that it "
        "belongs to."
    )


def _check_heads(net: Architecture, given: Mapping[str, Given]) -> None:
    """Heads must divide the width of every block that attends."""
    widths = {net.level_channels[level] for level in net.attention_levels} | {net.level_channels[-1]}
    if net.num_head_channels is not None:
        name, parts = "num_head_channels", net.num_head_channels
    else:
        name, parts = "num_heads", net.num_heads
    checks = [(name, parts)]
    if net.num_head_channels is None and net.num_heads_upsample is not None:
        checks.append(("num_heads_upsample", net.num_heads_upsample))
    for name, parts in checks:
        if any(width % parts for width in widths):
            raise BackboneError(
                f"{name} is {parts} in {given[name].where}, but it must divide the widths of the attention blocks: "
                f"{_listed(sorted(widths))}."
            )


#: Of factors and image sides.
_LARGEST = 1e6


def _multipliers(value: Any) -> tuple[float, ...]:
    """Of "1,2,2", a list, or nothing."""
    return tuple(_numbers(value)) if value else ()


def _numbers(value: Any) -> list[float]:
    """Of "16,8", a list, or one number; ValueError for what is none, or beyond any network."""
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list | tuple) else [value]
    numbers = [float(part) for part in parts]
    if not all(abs(number) <= _LARGEST for number in numbers):  # NaN is not, either
        raise ValueError("not of a network")
    return numbers


def _unless_unset(value: int | None) -> int | None:
    """The original scripts write -1 for "not given"."""
    return None if value == -1 else value


def _listed(values: Iterable[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _suggestion(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_count_or_unset(value: Any) -> bool:
    return value is None or value == -1 or _is_count(value)


def _are_numbers(value: Any, least: float) -> bool:
    try:
        return all(number >= least for number in _numbers(value))
    except (TypeError, ValueError):
        return False


_COUNT = (_is_count, "a positive whole number")
_UNSET_COUNT = (_is_count_or_unset, "a positive whole number, or -1 where it is not used")
_FLAG = (_is_flag, "true or false")

#: Setting -> (what it must satisfy, in words).
_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "image_size": _COUNT,
    "num_channels": _COUNT,
    "num_res_blocks": _COUNT,
    "num_heads": _UNSET_COUNT,
    "num_heads_upsample": _UNSET_COUNT,
    "num_head_channels": _UNSET_COUNT,
    "attention_resolutions": (lambda value: _are_numbers(value, 1), "image sides such as '16,8'"),
    "channel_mult": (lambda value: not value or _are_numbers(value, 0), "factors such as '1,2,2', or empty"),
    "class_cond": _FLAG,
    "num_classes": (lambda value: value is None or _is_count(value), "a positive whole number, or empty"),
    "use_scale_shift_norm": _FLAG,
    "resblock_updown": _FLAG,
    "conv_resample": _FLAG,
    "use_new_attention_order": _FLAG,
    "in_channels": _COUNT,
    "out_channels": _COUNT,
    "learn_sigma": _FLAG,
    "diffusion_steps": (
        lambda value: _is_count(value) and 20 < value <= 1_000_000,
        "a whole number from 21 to 1,000,000",
    ),
    "noise_schedule": (lambda value: value in SCHEDULES, f"one of {', '.join(SCHEDULES)}"),
    "rescale_timesteps": _FLAG,
    "predict_xstart": _FLAG,
}
