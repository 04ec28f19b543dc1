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

from cfs_explore.backbones.locate import STATE_DICTS
from cfs_explore.backbones.nesting import nests_too_deep
from cfs_explore.backbones.weights_choice import choose_weights
from cfs_explore.errors import BackboneError

#: What torch, diffusers and transformers may raise on a file that is damaged, and on settings that fit no network.
UNFIT = (RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError, AttributeError, AssertionError, NameError,
         ArithmeticError, MemoryError, ImportError, struct.error, pickle.UnpicklingError)  # fmt: skip

#: How many keys an error names.
_SHOWN = 5


@dataclass(frozen=True)
class Checkpoint:
    """The weights of a checkpoint file.

    Attributes:
        path: the file.
        tensors: by parameter name, as stored.
        notes: which weights were taken, and what was done to them, a sentence each.
    """

    path: Path
    tensors: Mapping[str, torch.Tensor]
    notes: tuple[str, ...]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: tuple(value.shape) for name, value in self.tensors.items()}


def is_checkpoint(path: Path) -> bool:
    """Whether it is a file whose name ends as one with weights does."""
    return path.name.lower().endswith(STATE_DICTS) and path.is_file()


def read_checkpoint(path: Path, weights: str | None = None) -> Checkpoint:
    """Read a safetensors file, or a torch file that loads as weights only.

    Args:
        path: of the file.
        weights: name of an entry of a training checkpoint; None takes the averaged (EMA) weights where it holds some.

    Raises:
        BackboneError: for a file that is cut short, is something else, or would need code to be run; where several
            averages are kept, or one that does not fit.
    """
    return _read(path, weights, path.stat().st_mtime_ns, path.stat().st_size)


@functools.lru_cache(maxsize=1)
def _read(path: Path, weights: str | None, _modified: int, _size: int) -> Checkpoint:
    """Once for recognition and loading; tensors are mapped from the file, not in memory."""
    tensors, notes = choose_weights(read_content(path), path, weights)
    return Checkpoint(path, tensors, (*notes, *half_notes(tensors)))


def read_content(path: Path) -> Mapping:
    """What a file holds, under the file's own names, nothing chosen or renamed.

    Raises:
        BackboneError: as ``read_checkpoint``.
    """
    content = _read_safetensors(path) if path.suffix.lower() == ".safetensors" else _read_torch(path)
    if not isinstance(content, Mapping):
        raise BackboneError(f"{path} holds a {type(content).__name__}; a checkpoint is a dictionary of weights.")
    return content


def half_notes(tensors: Mapping[str, torch.Tensor]) -> tuple[str, ...]:
    """A note where weights are stored in half precision."""
    halves = {value.dtype for value in tensors.values()} & {torch.float16, torch.bfloat16}
    kinds = " and ".join(sorted(str(kind).removeprefix("torch.") for kind in halves))
    return (f"The weights are stored as {kinds} and computed with in float32.",) if halves else ()


def check_finite(tensors: Mapping[str, torch.Tensor], source: Path) -> None:
    """Refuse weights with a value that is no number, or infinite: everything after them would be none, too.

    Raises:
        BackboneError: naming the parameters.
    """
    wrong = [name for name, value in tensors.items() if value.is_floating_point() and not value.isfinite().all()]
    if wrong:
        raise BackboneError(
            f"{source} holds values that are not finite (NaN or infinity): {_listed('parameters', wrong)}. The "
            "training diverged, or the file is damaged: give an earlier checkpoint, or download it again."
        )


def load_strict(
    module: torch.nn.Module, tensors: Mapping[str, torch.Tensor], *, source: Path, hint: str = ""
) -> torch.nn.Module:
    """Put weights into a network whose names, shapes and kinds of numbers they must match exactly.

    Args:
        module: built on the meta device or in memory, with no buffers outside its state dict.
        tensors: by name; converted to float32.
        source: the file, for errors.
        hint: likely cause of a mismatch, a sentence.

    Raises:
        BackboneError: naming the first missing, unexpected and misshapen keys, with the likely cause, or the parameters
            with values that are not finite.
    """
    found = misfits(module.state_dict(), tensors)
    if found:
        cause = hint or "The file belongs to another network, or its configuration is another one."
        raise BackboneError(f"{source} does not fit the network: {found}. {cause}")
    check_finite(tensors, source)
    state = {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}
    module.load_state_dict({name: value.clone() for name, value in state.items()}, strict=True, assign=True)
    return module


def misfits(wanted: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor]) -> str:
    """Which weights a network lacks, does not know, or has in another shape or kind of number; '' where all fit."""
    both = [(name, wanted[name], given[name]) for name in wanted if name in given]
    problems = [
        _listed("missing", [name for name in wanted if name not in given]),
        _listed("unexpected", [name for name in given if name not in wanted]),
        _listed(
            "of another shape",
            [
                f"{name} ({tuple(has.shape)} instead of {tuple(needs.shape)})"
                for name, needs, has in both
                if has.shape != needs.shape
            ],
        ),
        _listed(
            "of another type",
            [
                f"{name} ({has.dtype} instead of {needs.dtype})"
                for name, needs, has in both
                if has.is_floating_point() != needs.is_floating_point()
            ],
        ),
    ]
    return "; ".join(filter(None, problems))


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
            except UNFIT as error:
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
    """What a file is that is no checkpoint at all; empty where its first bytes do not show it."""
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


def has_keys(shapes: Iterable[str], *names: str) -> bool:
    """Whether all of ``names`` are among a checkpoint's parameters."""
    return set(names) <= set(shapes)
