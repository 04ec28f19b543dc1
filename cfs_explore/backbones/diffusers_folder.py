"""Folders in diffusers' layout: a pipeline with its parts in subfolders, or one part by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from cfs_explore.backbones.checkpoint import UNFIT, build_on_meta, check_finite, load_strict, misfits
from cfs_explore.backbones.diffusers_schedule import NAMED_SCHEDULES
from cfs_explore.backbones.folder_weights import read_weights
from cfs_explore.backbones.stored_weights import says_average
from cfs_explore.errors import BackboneError

#: Where a pipeline keeps its network.
_NETWORK_FOLDERS = ("unet", "transformer", ".")

#: A configuration may describe so many times the parameters that are there: older names of weights count as none.
_MOST_TIMES = 4


def find_model(
    source: Path, class_name: str, weights: str | None = None, folders: Sequence[str] = _NETWORK_FOLDERS
) -> Path | None:
    """The folder under ``source`` whose ``config.json`` names the class; None where there is none.

    Args:
        source: a pipeline's folder, a training's, or the model's own.
        class_name: of diffusers.
        weights: name of a subfolder; None takes one with averaged (EMA) weights, such as ``unet_ema``, if there.
        folders: where a model is that has no such name.

    Raises:
        BackboneError: several averages are there, and none is named.
    """
    if not source.is_dir():
        return None
    averages = [] if folders is not _NETWORK_FOLDERS else _averages(source, class_name)
    named = [home for home in averages if home.name == weights] or [
        source / folder for folder in folders if folder == weights and _is_model(source / folder, class_name)
    ]
    if named:
        return named[0]
    if len(averages) > 1:
        raise BackboneError(
            f"{source} holds several averages of the weights: {', '.join(home.name for home in averages)}. Choose with "
            "`weights`, in a spec's `backbone` or as --weights of cfs-explore inspect."
        )
    usual = (source / folder for folder in folders if _is_model(source / folder, class_name))
    return averages[0] if averages else next(usual, None)


def folder_notes(source: Path, home: Path) -> list[str]:
    """Which of a pipeline's folders is used, where averaged weights are, or stand beside it."""
    class_name = read_json(home / "config.json").get("_class_name")
    others = [path for path in _averages(home.parent, class_name) if path != home]
    if says_average(home.name) and home != source:
        raw = [name for name in _NETWORK_FOLDERS[:-1] if _is_model(home.parent / name, class_name)]
        aside = [path.name for path in others] + raw
        left = f"; {', '.join(f'{name}/' for name in aside)} left aside" if aside else ""
        return [f"The averaged (EMA) weights in {home.name}/ are used{left}."]
    if others and home.name in _NETWORK_FOLDERS:
        return [f"These are raw weights; averaged (EMA) ones stand beside them in {others[0].name}/."]
    return []


def _averages(source: Path, class_name: str | None) -> list[Path]:
    """Subfolders that hold the class and whose names say average."""
    below = sorted(path for path in source.iterdir() if says_average(path.name) and path.is_dir())
    return [path for path in below if _is_model(path, class_name)]


def _is_model(folder: Path, class_name: str | None) -> bool:
    path = folder / "config.json"
    return path.is_file() and read_json(path).get("_class_name") == class_name


def load_model(model_class: Any, home: Path, weights: str | None = None) -> tuple[torch.nn.Module, list[str]]:
    """A diffusers model from its folder: safetensors, or a file that loads as weights only; and notes.

    Args:
        model_class: of diffusers.
        home: the folder.
        weights: a variant's name, or an entry's inside the files.

    Raises:
        BackboneError: when the weights do not load, are not finite, or do not fill the network exactly.
    """
    tensors, notes, form, own = read_weights(home, weights)
    _check_size(model_class, home, tensors)
    if own and (form.format == "safetensors" or not form.is_sharded):
        module = _of_diffusers(model_class, home, form.variant)
        check_finite(module.state_dict(), home)
        return module, notes
    try:
        module = model_class.from_config(model_class.load_config(home))
    except UNFIT as error:
        raise BackboneError(
            f"{home / 'config.json'} describes no {model_class.__name__}: {' '.join(str(error).split())[:400]}"
        ) from error
    return load_strict(module, tensors, source=home), notes


def check_layers(home: Path, count: int) -> None:
    """Refuse a configuration of more layers than the weights have tensors, before so many are made.

    Raises:
        BackboneError: naming the setting.
    """
    for key, value in read_json(home / "config.json").items():
        numbers = value if isinstance(value, list) else [value]
        if "layers" in key and any(isinstance(n, int) and n > count for n in numbers):
            raise BackboneError(
                f"{home / 'config.json'}: {key} is {str(value)[:80]}, for weights of {count:,} tensors."
            )


def _check_size(model_class: Any, home: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Refuse a configuration of far more layers or parameters than the weights fill, before it takes the memory.

    Raises:
        BackboneError: it does, or it describes no such network.
    """
    path = home / "config.json"
    check_layers(home, len(tensors))
    try:
        wanted = build_on_meta(model_class.from_config, model_class.load_config(home)).state_dict()
    except UNFIT as error:
        raise BackboneError(
            f"{path} describes no {model_class.__name__}: {' '.join(str(error).split())[:400]}"
        ) from error
    kinds = [name for name, value in tensors.items()
             if name in wanted and value.is_floating_point() != wanted[name].is_floating_point()]  # fmt: skip
    if kinds:
        raise BackboneError(f"The weights in {home} do not fit its config.json: {misfits(wanted, tensors)[:600]}.")
    needed, there = (sum(value.numel() for value in each.values()) for each in (wanted, tensors))
    if needed > _MOST_TIMES * there:
        raise BackboneError(
            f"The weights in {home} do not fit its config.json: it describes {needed:,} parameters, and they have "
            f"{there:,}: {misfits(wanted, tensors)[:600]}. They belong to another network, or the configuration was "
            "edited."
        )


def _of_diffusers(model_class: Any, home: Path, variant: str | None) -> torch.nn.Module:
    """As diffusers itself loads it, older names of parameters included."""
    try:
        module, report = model_class.from_pretrained(
            home,
            low_cpu_mem_usage=False,
            output_loading_info=True,
            torch_dtype=torch.float32,
            variant=variant,
            ignore_mismatched_sizes=True,
        )
    except UNFIT as error:
        raise BackboneError(
            f"{home} is a {model_class.__name__} folder, but its weights did not load, neither as safetensors nor as "
            f"weights only: {' '.join(str(error).split())[:400]}"
        ) from error
    wrong = [f"{len(report[key])} {key.replace('_', ' ')} ({', '.join(map(str, list(report[key])[:5]))})"
             for key in ("missing_keys", "unexpected_keys", "mismatched_keys") if report[key]]  # fmt: skip
    if wrong:
        raise BackboneError(
            f"The weights in {home} do not fit its config.json: {'; '.join(wrong)}. They belong to another network, or "
            "the configuration was edited."
        )
    return module


def scheduler_config(source: Path, home: Path, schedule: str | None) -> dict:
    """The scheduler's configuration: the named one, or the one in the folder.

    Raises:
        BackboneError: when there is none, listing the names.
    """
    if schedule is not None:
        if schedule not in NAMED_SCHEDULES:
            raise BackboneError(f"The schedule must be one of {', '.join(NAMED_SCHEDULES)}; got {schedule!r}.")
        return NAMED_SCHEDULES[schedule]
    for parent in (source / "scheduler", source, home.parent / "scheduler"):
        path = parent / "scheduler_config.json"
        if path.is_file():
            return read_json(path)
    raise BackboneError(
        f"{source} holds a network but no scheduler/scheduler_config.json, so its noise schedule is unknown. "
        f"Name it with `schedule`: one of {', '.join(NAMED_SCHEDULES)}."
    )


def read_json(path: Path) -> dict:
    """The object in a JSON file.

    Raises:
        BackboneError: when it is not readable or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        json.dumps(content, ensure_ascii=False).encode()  # JSON may hold half a character, which no message can
    except (OSError, ValueError, RecursionError) as error:
        raise BackboneError(f"{path} is not readable JSON: {error}") from error
    if not isinstance(content, dict):
        raise BackboneError(f"{path} must hold a JSON object; it holds a {type(content).__name__}.")
    return content
