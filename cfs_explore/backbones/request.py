"""What a user asks for when a checkpoint is loaded."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import yaml

from cfs_explore.errors import BackboneError
from cfs_explore.safe_io import plain_yaml

#: Settings that every checkpoint may have -> their type, and what is allowed.
_OF_EVERY = dict.fromkeys(("family", "schedule", "preset", "vae", "weights"), (str, "a text")) | {
    "label": (int, "a whole number")
}


@dataclass(frozen=True)
class Request:
    """A checkpoint, and what was said about it.

    Attributes:
        source: the file or folder.
        name: what a user sees.
        device: where to put the network.
        schedule: noise schedule by name, for weights that come without one.
        preset: name of a published configuration, where the family has presets.
        vae: folder of the autoencoder, for networks in latent space.
        label: class that a class-conditional network is given; None means the null class where there is one.
        weights: which entry, variant or folder holds the weights to use; None means averaged ones, if any.
        settings: content of the YAML file beside the checkpoint (``read_settings``).
    """

    source: Path
    name: str
    device: torch.device
    schedule: str | None = None
    preset: str | None = None
    vae: str | None = None
    label: int | None = None
    weights: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


def settings_paths(source: Path) -> list[Path]:
    """Where a checkpoint file's settings may stand: beside it, under its name, with or without a second ending."""
    stems = [source, source.with_suffix("")] if source.suffix.lower() == ".tar" else [source]
    return [stem.with_suffix(suffix) for stem in stems for suffix in (".yaml", ".yml", ".json")]


def read_settings(source: Path) -> dict[str, Any]:
    """The settings beside a checkpoint file; empty where there is none, and for a folder.

    Raises:
        BackboneError: when the file is not readable YAML (JSON is YAML too) with ``name: value`` lines, or what is
            asked of every checkpoint has a wrong type.
    """
    if source.is_dir():
        return {}
    path = next((path for path in settings_paths(source) if path.is_file() and path != source), None)
    if path is None:
        return {}
    try:
        content = plain_yaml.load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BackboneError(f"{path} is not readable YAML: {' '.join(str(error).split())}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise BackboneError(f"{path} must hold `name: value` lines; it holds a {type(content).__name__}.")
    for name, (kind, allowed) in _OF_EVERY.items():
        value = content.get(name)
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
            raise BackboneError(f"{path}: {name} is {reprlib.repr(value)}; allowed is {allowed}.")
    return content
