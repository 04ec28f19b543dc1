"""Network snapshots by EDM's training: from .pkl to tensors and constructor arguments, and a folder of both."""

from __future__ import annotations

import itertools
import json
import math
import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from cfs_explore.backbones.checkpoint import half_notes, read_content, what_else_it_is
from cfs_explore.backbones.diffusers_folder import read_json
from cfs_explore.backbones.nets.edm_precond import PRECONDITIONERS
from cfs_explore.backbones.restricted_pickle import read
from cfs_explore.backbones.restricted_tensors import snapshot_tables
from cfs_explore.backbones.restricted_values import Budget, Record, Window
from cfs_explore.errors import BackboneError

#: In a converted folder's config.json.
FAMILY = "edm"

_WEIGHTS = "model.safetensors"
_POSITIONAL = ("img_resolution", "img_channels", "label_dim", "use_fp16")
_MAX_PARTS, _MAX_DEPTH, _MAX_VALUES = 200_000, 32, 10_000


@dataclass(frozen=True)
class Snapshot:
    """A preconditioned network.

    Attributes:
        config: ``precond``, the preconditioner's class name, and its constructor arguments by name.
        tensors: by parameter name, as stored.
        notes: what was found, a sentence each.
    """

    config: Mapping[str, Any]
    tensors: Mapping[str, torch.Tensor]
    notes: tuple[str, ...] = ()


def read_snapshot(path: Path) -> Snapshot:
    """The averaged network (entry ``ema``) of a .pkl snapshot; source code in the file is neither run nor looked at.

    Raises:
        BackboneError: for a file that is cut short or holds something else, and for one that asks for anything that
            is not part of such a snapshot.
    """
    if not path.is_file():
        raise BackboneError(f"{path} is {'a folder' if path.is_dir() else 'not on this machine'}. Give the .pkl file.")
    if other := what_else_it_is(path):
        raise BackboneError(other)
    with path.open("rb") as file:
        mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))  # lives as long as its tensors
    if mapped[:2] == b"PK":
        raise BackboneError(f"{path} is a file of torch.save, not a pickled snapshot: name it .pt.")
    budget = Budget(len(mapped))
    content = read(Window(mapped), snapshot_tables(budget), budget, str(path))
    network = _network_of(content, path)
    tensors = dict(_tensors(network, path))
    left = ", ".join(sorted(_shown(key) for key, value in content.items() if key != "ema" and value is not None))
    notes = ["An EDM snapshot: the averaged (EMA) network is used" + (f"; {left} left aside." if left else ".")]
    return Snapshot(_config(network, path), tensors, (*notes, *half_notes(tensors)))


def convert(snapshot_path: Path, folder: Path) -> Path:
    """Write a .pkl snapshot's weights and arguments as ``model.safetensors`` and ``config.json``.

    Raises:
        BackboneError: as ``read_snapshot``, and when the folder already holds a network.
    """
    snapshot = read_snapshot(snapshot_path)
    if (taken := [name for name in ("config.json", _WEIGHTS) if (folder / name).exists()]) != []:
        raise BackboneError(f"{folder} already holds {' and '.join(taken)}; give another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    own = {name: value.clone(memory_format=torch.contiguous_format) for name, value in snapshot.tensors.items()}
    safetensors.torch.save_file(own, folder / _WEIGHTS)
    config = {"_family": FAMILY, **snapshot.config}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return folder


def is_converted(folder: Path) -> bool:
    """Whether ``convert`` wrote this folder."""
    path = folder / "config.json"
    return path.is_file() and read_json(path).get("_family") == FAMILY


def read_folder(folder: Path) -> Snapshot:
    """What ``convert`` wrote."""
    config = {key: value for key, value in read_json(folder / "config.json").items() if key != "_family"}
    if config.get("precond") not in PRECONDITIONERS:
        known = ", ".join(PRECONDITIONERS)
        raise BackboneError(f"{folder / 'config.json'}: precond must be one of {known}; got {config.get('precond')!r}.")
    if not (folder / _WEIGHTS).is_file():
        raise BackboneError(f"{folder} has no {_WEIGHTS}. Convert the snapshot again.")
    tensors = read_content(folder / _WEIGHTS)
    return Snapshot(config, tensors, half_notes(tensors))


def _network_of(content: Any, path: Path) -> Record:
    """The snapshot's averaged network, or an error that says what the file holds."""
    known = ", ".join(PRECONDITIONERS)
    if not isinstance(content, dict):
        raise BackboneError(f"{path} holds {_what(content)}; an EDM snapshot is a dictionary with the entry 'ema'.")
    network = content.get("ema")
    if isinstance(network, Record) and network.kind in PRECONDITIONERS:
        return network
    entries = ", ".join(f"{_shown(key)} ({_what(value)})" for key, value in list(content.items())[:8]) or "nothing"
    if "G_ema" in content:
        raise BackboneError(f"{path} is a snapshot of a generator (StyleGAN), not of a diffusion network: {entries}.")
    raise BackboneError(f"{path} holds no EDM network: its entry 'ema' should be a {known}. It holds {entries}.")


def _what(value: Any) -> str:
    return f"a {_shown(value.kind)}" if isinstance(value, Record) else f"a {type(value).__name__}"


def _shown(name: Any) -> str:
    """A name from the file, short and without control characters."""
    return str(name).encode("unicode_escape").decode()[:60]


def _tensors(network: Record, path: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Parameters and persistent buffers by their names in the state dict."""
    waiting, seen = [("", network, 0)], 0
    while waiting:
        prefix, module, depth = waiting.pop()
        state = module.state if isinstance(module, Record) else None
        if not isinstance(state, dict):
            raise BackboneError(f"{path} is damaged: its network's part {prefix[:100] or 'ema'!r} is not a module.")
        own = [_part(state, group, dict, path) for group in ("_parameters", "_buffers")]
        children, hidden = _part(state, "_modules", dict, path), _part(state, "_non_persistent_buffers_set", set, path)
        seen += 1 + len(children) + sum(map(len, own))
        if depth > _MAX_DEPTH or seen > _MAX_PARTS:
            raise BackboneError(f"{path} was refused: its network contains itself, or nests deeper than any network.")
        for name, value in itertools.chain.from_iterable(group.items() for group in own):
            if isinstance(value, torch.Tensor) and name not in hidden:
                yield f"{prefix}{name}", value
        waiting += [
            (f"{prefix}{name}."[-500:], child, depth + 1) for name, child in children.items() if child is not None
        ]


def _part(state: dict, name: str, wanted: type, path: Path) -> Any:
    value = state.get(name, wanted())
    if not isinstance(value, wanted):
        raise BackboneError(f"{path} is damaged: a module's {name} is a {type(value).__name__}.")
    return value


def _config(network: Record, path: Path) -> dict[str, Any]:
    """The recorded constructor arguments, as JSON can hold them."""
    arguments, keywords = network.state.get("_init_args"), network.state.get("_init_kwargs")
    given = list(arguments) if isinstance(arguments, tuple | list) else []
    if not isinstance(keywords, dict) or len(given) > len(_POSITIONAL):
        raise BackboneError(f"{path} does not record the arguments of its {network.kind}, so it cannot be rebuilt.")
    counter = iter(range(_MAX_VALUES))
    recorded = dict(zip(_POSITIONAL, given, strict=False)) | keywords
    plain = {str(key): _plain(value, counter, path) for key, value in recorded.items()}
    finite = {key: value for key, value in plain.items() if not (isinstance(value, float) and math.isinf(value))}
    return {"precond": network.kind, **finite}


def _plain(value: Any, counter: Iterator[int], path: Path, depth: int = 0) -> Any:
    """A recorded argument: numbers, text and lists of them."""
    if next(counter, None) is None or depth > _MAX_DEPTH:
        raise BackboneError(f"{path} was refused: its recorded arguments are larger than any network's.")
    if isinstance(value, list | tuple):
        return [_plain(item, counter, path, depth + 1) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item, counter, path, depth + 1) for key, item in value.items()}
    if value is None or isinstance(value, float | str) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    raise BackboneError(f"{path} was refused: one of its recorded arguments is {_what(value)}.")
