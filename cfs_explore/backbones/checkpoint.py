"""Weights from files: which tensors a checkpoint holds, and how they enter a network. Nothing in a file is executed."""

from __future__ import annotations

import argparse
import functools
import pickle
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError

from cfs_explore.backbones.nesting import nests_too_deep
from cfs_explore.errors import BackboneError

#: Where training checkpoints keep the weights, best first: averaged weights before raw ones.
_AVERAGED = ("ema", "ema_state_dict", "model_ema", "ema_model", "nnet_ema", "params_ema")
_RAW = ("state_dict", "model", "model_state_dict", "net", "nnet", "params", "module")

#: Put before every name by data-parallel and compiled training.
_WRAPPERS = ("module.", "_orig_mod.")

#: What torch's reader may raise on a stream that is cut short or damaged.
_BROKEN = (RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError, AttributeError, AssertionError,
           OverflowError, MemoryError, struct.error)  # fmt: skip

#: How many keys an error names.
_SHOWN = 5


@dataclass(frozen=True)
class Checkpoint:
    """The weights of a checkpoint file.

    Attributes:
        path: the file.
        tensors: by parameter name, as stored.
        content: everything else at the file's top level, optimizer state and other weights left out.
        notes: which weights were taken, and what was done to them, a sentence each.
    """

    path: Path
    tensors: Mapping[str, torch.Tensor]
    content: Mapping[str, Any]
    notes: tuple[str, ...]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: tuple(value.shape) for name, value in self.tensors.items()}


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a safetensors file, or a torch file that loads as weights only.

    Of a training checkpoint, the averaged (EMA) weights are taken where it holds some.

    Raises:
        BackboneError: for a file that is cut short, is something else, or would need code to be run.
    """
    return _read(path, path.stat().st_mtime_ns, path.stat().st_size)


@functools.lru_cache(maxsize=1)
def _read(path: Path, _modified: int, _size: int) -> Checkpoint:
    """Once for recognition and loading; tensors are mapped from the file, not in memory."""
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    if not isinstance(content, Mapping):
        raise BackboneError(f"{path} holds a {type(content).__name__}; a checkpoint is a dictionary of weights.")
    tensors, notes = _choose_weights(content, path)
    rest = {_told(key): value for key, value in content.items() if not isinstance(value, torch.Tensor)}
    if halves := {value.dtype for value in tensors.values()} & {torch.float16, torch.bfloat16}:
        kinds = " and ".join(sorted(str(kind).removeprefix("torch.") for kind in halves))
        notes.append(f"The weights are stored as {kinds} and computed with in float32.")
    return Checkpoint(path, tensors, rest, tuple(notes))


def load_strict(
    module: torch.nn.Module, tensors: Mapping[str, torch.Tensor], *, source: Path, hint: str = ""
) -> torch.nn.Module:
    """Put weights into a network whose names and shapes they must match exactly.

    Args:
        module: built on the meta device or in memory, with no buffers outside its state dict.
        tensors: by name; converted to float32.
        source: the file, for errors.
        hint: likely cause of a mismatch, a sentence.

    Raises:
        BackboneError: naming the first missing, unexpected and misshapen keys, with the likely cause.
    """
    wanted = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in tensors.items()}
    problems = [
        _listed("missing", [name for name in wanted if name not in given]),
        _listed("unexpected", [name for name in given if name not in wanted]),
        _listed(
            "of another shape",
            [
                f"{name} ({given[name]} instead of {wanted[name]})"
                for name in wanted
                if name in given and given[name] != wanted[name]
            ],
        ),
    ]
    if any(problems):
        cause = hint or "The file belongs to another network, or its configuration is another one."
        raise BackboneError(f"{source} does not fit the network: {'; '.join(filter(None, problems))}. {cause}")
    state = {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}
    module.load_state_dict({name: value.clone() for name, value in state.items()}, strict=True, assign=True)
    return module


def build_on_meta(build, *arguments, **options) -> torch.nn.Module:
    """A network without memory for its weights, to be filled by ``load_strict``."""
    with torch.device("meta"):
        return build(*arguments, **options)


def _listed(what: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{len(names)} {what}: {', '.join(names[:_SHOWN])}{more}"


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except (SafetensorError, OSError) as error:
        raise BackboneError(_damaged(path, error)) from error


def _read_torch(path: Path) -> Any:
    if path.stat().st_size and nests_too_deep(path):
        raise BackboneError(
            f"{path} was refused, and nothing in it was run: it nests values deeper than a network needs."
        )
    with torch.serialization.safe_globals([argparse.Namespace]):  # plain settings beside the weights of DiT and others
        for mapped in (True, False):  # files of torch before 1.6 cannot be mapped
            try:
                return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
            except pickle.UnpicklingError as error:
                raise BackboneError(_refused(path, error)) from error
            except _BROKEN as error:
                if not mapped or _is_zip(path):
                    raise BackboneError(_damaged(path, error)) from error
    raise AssertionError("unreachable")


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"PK"


def _refused(path: Path, error: Exception) -> str:
    first = what_else_it_is(path)
    if first:
        return first
    return (
        f"{path} is not a file of weights only, and nothing in it was run ({_short(error)}). Save the network's "
        "state_dict with torch.save or as safetensors, and give that file."
    )


def _damaged(path: Path, error: Exception) -> str:
    first = what_else_it_is(path)
    if first:
        return first
    return (
        f"{path} ({path.stat().st_size:,} bytes) is damaged or was cut short, as after a broken download "
        f"({_short(error)}). Download it again and compare its size with the original's."
    )


def what_else_it_is(path: Path) -> str:
    """What a file is that is no checkpoint at all; empty where its beginning does not tell."""
    with path.open("rb") as file:
        start = file.read(256).lstrip()
    if not start:
        return f"{path} is empty. Download it again."
    if start.startswith(b"version https://git-lfs"):
        return f"{path} is a Git LFS pointer, not the weights. Fetch them with `git lfs pull`."
    if start[:1] == b"<":
        return f"{path} is a web page, not the weights. Download the file itself."
    return ""


def _short(error: Exception) -> str:
    """The first words of an error, or its kind where it has none."""
    return " ".join(str(error).split())[:160] or type(error).__name__


def _choose_weights(content: Mapping, path: Path) -> tuple[dict[str, torch.Tensor], list[str]]:
    """The weights among a checkpoint's entries, and notes about the choice."""
    if (own := _as_weights(content)) is not None:
        return own, []
    for key in (*_AVERAGED, *_RAW):
        weights = _as_weights(content.get(key))
        if weights is None:
            continue
        left = sorted(_told(k) for k in content if k != key and isinstance(content[k], Mapping))
        kind = "averaged (EMA) weights" if key in _AVERAGED else "weights"
        others = f"; {', '.join(left)} left aside" if left else ""
        return weights, [f"A training checkpoint: the {kind} in its entry {key!r} are used{others}."]
    entries = ", ".join(map(_told, list(content)[:8])) or "nothing"
    raise BackboneError(
        f"{path} holds no weights: its entries are {entries}. Give the file with the network's weights."
    )


def _told(key: Any) -> str:
    """A key of a checkpoint's content; one that is no name, such as a tuple, by its type."""
    return str(key) if isinstance(key, str | int) else type(key).__name__


def _as_weights(value: Any) -> dict[str, torch.Tensor] | None:
    """A state dict without wrappers' prefixes; None for anything else."""
    if not isinstance(value, Mapping) or not value:
        return None
    if not all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in value.items()):
        return None
    for prefix in _WRAPPERS:
        value = _without_prefix(value, prefix)
    return dict(value)


def _without_prefix(value: Mapping[str, torch.Tensor], prefix: str) -> Mapping[str, torch.Tensor]:
    if not all(name.startswith(prefix) for name in value):
        return value
    return {name.removeprefix(prefix): tensor for name, tensor in value.items()}


def has_keys(shapes: Iterable[str], *names: str) -> bool:
    """Whether all of ``names`` are among a checkpoint's parameters."""
    return set(names) <= set(shapes)
