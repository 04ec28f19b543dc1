"""Where a checkpoint keeps weights: every collection of tensors in it, under whatever names and nesting."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

#: Put before names by data-parallel, compiled and sharded training, by Lightning and by averaging.
WRAPPERS = frozenset({
    "module", "_orig_mod", "_forward_module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "model", "net",
    "nnet", "network", "unet", "denoiser", "denoise_fn", "denoise_model", "diffusion_model", "diffusion", "score_model",
    "eps_model", "backbone", "dit", "online_model", "params",
})  # fmt: skip

#: Put by compiled and sharded training in the middle of names, too.
_INSIDE = re.compile(r"(?<![^.])(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")

#: A name that says average; Adam's exp_avg is the gradient's, and a schema no average.
_AVERAGED = re.compile(
    r"(?<![a-z])ema|(?<!sch)(?<!cin)ema(?![a-z])|shadow|averag|(?<!exp_)(?<![a-z])avg|(?<![a-z])swa(?![a-z])|polyak"
)
_CONTAINERS = ("shadow_params", "shadow", "state_dict")
_OF_TRAINING = re.compile(r"optim|(?<![a-z])opt(?![a-z])|sched|scaler|(?<![a-z])rng|exp_avg")

#: Numbers that averaging keeps beside the weights.
_COUNTER = re.compile(r"^(?:[\w.]+\.)?(?:n_averaged|initted|step|num_updates|decay|beta|counter|iteration|updates)$")

#: Lists by such names hold averaged weights or nothing that could be used.
_LISTED = re.compile(r"shadow|param|weight")

#: How deep a checkpoint is looked into, and at how many values: trainings nest about 4, and keep some thousands.
_DEEPEST, _MOST = 8, 100_000


@dataclass(frozen=True)
class Entry:
    """A collection of tensors.

    Attributes:
        path: the keys that lead to it; the last may be the beginning that its names have in common.
        tensors: by name without wrappers; None for a list.
        listed: of a list, its tensors in order; None where it holds something else.
        averaged: whether a name on the way says so.
    """

    path: tuple[str, ...]
    tensors: Mapping[str, torch.Tensor] | None
    listed: tuple[torch.Tensor, ...] | None
    averaged: bool

    @property
    def name(self) -> str:
        """What messages call it: its path, without what merely says that these are the weights."""
        short = self.path[:-1] if len(self.path) > 1 and self.path[-1] in _CONTAINERS else self.path
        return "/".join(short) or "."

    @property
    def has_weights(self) -> bool:
        """Whether it may be a network's: some tensor has two axes or more, as no counter or statistic has."""
        values = self.listed if self.tensors is None else self.tensors.values()
        return values is None or any(value.ndim > 1 for value in values)

    @property
    def is_of_training(self) -> bool:
        """Whether it is the optimizer's, or of what else a training keeps beside the weights, and no average."""
        return not self.averaged and any(_OF_TRAINING.search(key.lower()) for key in self.path)

    @property
    def is_loose(self) -> bool:
        """Whether it has no tensor of a module, as a sample beside the weights."""
        return self.tensors is not None and not any("." in name for name in self.tensors)


def says_average(name: str) -> bool:
    """Whether a key, folder or file name stands for averaged weights."""
    return _AVERAGED.search(name.lower()) is not None


def stored_weights(content: Mapping) -> list[Entry]:
    """Every collection of tensors in a checkpoint's content that may be a network's weights, in the file's order."""
    found = [entry for entry in _collections(content) if entry.has_weights and not entry.is_of_training]
    inner = {entry.path[:i] for entry in found for i in range(len(entry.path))}
    return [entry for entry in found if entry.path not in inner or not entry.is_loose]


def _collections(content: Mapping) -> Iterator[Entry]:
    """Every mapping and list of tensors, wrappers taken off."""
    waiting, seen, met = [((), content)], 0, {id(content)}
    while waiting:
        path, value = waiting.pop()
        seen += 1
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        inside = [(key, part) for key, part in items if not isinstance(key, str) or len(key) < 1_000]
        yield from _own(path, value, inside)
        below = []
        for key, part in inside:
            if isinstance(part, Mapping | list | tuple) and len(part) and id(part) not in met:
                met.add(id(part))
                below.append(((*path, key_text(key)), part))
        if len(path) < _DEEPEST and seen + len(waiting) + len(below) < _MOST:
            waiting += reversed(below)


def _own(path: tuple[str, ...], value: Any, inside: list) -> Iterator[Entry]:
    """What a mapping or list itself holds."""
    tensors = {key: part for key, part in inside if isinstance(part, torch.Tensor)}
    averaged = _is_averaged(path)
    numbered = not any(isinstance(key, str) for key in tensors)
    if tensors and not numbered:
        named = {key: part for key, part in tensors.items() if isinstance(key, str)}
        yield from _unwrapped(path, named, averaged)
    elif tensors and len(tensors) == len(inside):
        yield Entry(path, None, tuple(tensors.values()), averaged)
    elif isinstance(value, list | tuple) and averaged and _LISTED.search(path[-1].lower()) and not _is_nested(inside):
        yield Entry(path, None, None, averaged)


def _is_averaged(path: tuple[str, ...], averaged: bool = False) -> bool:
    """Whether a path says average; what follows the ``online`` network inside an average's own state is raw."""
    for key in path:
        averaged = (averaged or says_average(key)) and not key.lower().startswith("online")
    return averaged


def _is_nested(inside: list) -> bool:
    return all(isinstance(part, Mapping | list | tuple) for _, part in inside)


def _unwrapped(path: tuple[str, ...], tensors: Mapping[str, torch.Tensor], averaged: bool) -> Iterator[Entry]:
    """The collections under wrappers' prefixes, in whatever order these stand, and what stands beside them."""
    counters = {name for name, value in tensors.items() if value.numel() == 1 and _COUNTER.search(name)}
    given = {_INSIDE.sub("", name): value for name, value in tensors.items() if name not in counters}
    groups: dict[str, dict[str, torch.Tensor]] = {}
    for name, value in given.items():
        first, dot, rest = name.partition(".")
        wrapped = dot and (first in WRAPPERS or says_average(first))
        groups.setdefault(first if wrapped else "", {})[rest if wrapped else name] = value
    for first, group in groups.items():
        below = (*path, first) if first and len(groups) > 1 else path
        if first and (len(below) <= _DEEPEST or len(groups) == 1):
            yield from _unwrapped(below, group, _is_averaged((first,), averaged))
        else:
            yield Entry(path, group, None, averaged)


def key_text(key: Any) -> str:
    """A key of a checkpoint's content; one that is no name, such as a tuple, by its type."""
    return str(key)[:200] if isinstance(key, str | int | float) else type(key).__name__
