"""Folders in diffusers' layout: a pipeline with its parts in subfolders, or one part by itself."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from cfs_explore.backbones.diffusers_schedule import NAMED_SCHEDULES
from cfs_explore.errors import BackboneError

#: Where a pipeline keeps its network.
_NETWORK_FOLDERS = ("unet", "transformer", ".")


def find_model(source: Path, class_name: str, folders: Sequence[str] = _NETWORK_FOLDERS) -> Path | None:
    """The folder under ``source`` whose ``config.json`` names the class; None where there is none."""
    if not source.is_dir():
        return None
    for folder in folders:
        path = source / folder / "config.json"
        if path.is_file() and read_json(path).get("_class_name") == class_name:
            return path.parent
    return None


def weights_variant(home: Path) -> str | None:
    """What diffusers calls the weights in a folder that holds half-precision ones alone; None for the usual ones."""
    names = [path.name for path in home.iterdir() if {".safetensors", ".bin"} & set(path.suffixes)]
    return "fp16" if names and all(".fp16" in name for name in names) else None


def load_model(model_class: Any, home: Path) -> torch.nn.Module:
    """A diffusers model from its folder: safetensors, or a file that loads as weights only.

    Raises:
        BackboneError: when the weights do not load, or do not fill the network exactly.
    """
    try:
        module, report = model_class.from_pretrained(
            home,
            low_cpu_mem_usage=False,
            output_loading_info=True,
            torch_dtype=torch.float32,
            variant=weights_variant(home),
            ignore_mismatched_sizes=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, pickle.UnpicklingError) as error:
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
    except (OSError, ValueError) as error:
        raise BackboneError(f"{path} is not readable JSON: {error}") from error
    if not isinstance(content, dict):
        raise BackboneError(f"{path} must hold a JSON object; it holds a {type(content).__name__}.")
    return content
