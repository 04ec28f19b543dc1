"""Which of a checkpoint's weights are used: the averaged ones that fit, or those named; never raw in silence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from cfs_explore.backbones.stored_weights import WRAPPERS, Entry, key_text, stored_weights
from cfs_explore.errors import BackboneError

#: Where training checkpoints keep the raw weights, best first.
_RAW = ("state_dict", "model_state_dict", "model", "online_model", "net", "nnet", "network", "unet", "params", "module")

#: Parameters that are not trained, hence in no list of averages: noise levels, fixed frequencies and positions.
_FIXED = ("sigmas", "all_modules.0.W", "pos_embed")
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")

#: What views that repeat their numbers may take beyond them in memory, each.
_REPEATED_BYTES = 256 * 2**20

_HOW = (
    "Choose with `weights`, in the YAML file beside the checkpoint, in a spec's `backbone`, as --weights of "
    "cfs-explore inspect or as an argument of load_backbone"
)


@dataclass(frozen=True)
class _Fitted:
    """An entry's weights by name, with those that it lacks from the raw ones, whose names are ``raw``."""

    entry: Entry
    tensors: dict[str, torch.Tensor]
    raw: tuple[str, ...] = ()


def choose_weights(content: Mapping, path: Path, wanted: str | None) -> tuple[dict[str, torch.Tensor], list[str]]:
    """The weights among a checkpoint's entries, and notes about the choice.

    Args:
        content: of the file.
        path: of the file, for messages.
        wanted: name of an entry, or its last part; None takes the averaged weights where there are some.

    Raises:
        BackboneError: there are none; the averaged ones do not fit the raw ones; several averaged ones fit, or several
            raw ones are there without an average: the message names them.
    """
    entries = stored_weights(content)
    for entry in entries:
        _check_plain(entry, path)
    averages, plain = [e for e in entries if e.averaged], [e for e in entries if not e.averaged]
    raws = _best_raw(plain)
    every = [*raws, *(e for e in plain if e.tensors is not None and all(e is not raw for raw in raws))]
    if wanted is not None:
        fitted = _fit(_named(wanted, entries, path), every, content, path)
        return fitted.tensors, _notes(fitted, entries, content, f", as `weights: {wanted}` asks")
    if averages:
        fitted = _only_average(averages, every, content, path)
    elif not raws:
        return _without_weights(content, path), []
    elif len(raws) > 1:
        raise BackboneError(f"{path} holds the weights of several networks: {_names(raws)}. {_HOW}.")
    else:
        fitted = _Fitted(raws[0], dict(raws[0].tensors))
    return fitted.tensors, _notes(fitted, entries, content, "")


def _check_plain(entry: Entry, path: Path) -> None:
    """Refuse tensors that are not numbers one by one in a file: sparse, quantized, complex, or repeated by a view.

    Raises:
        BackboneError: naming the first.
    """
    named = enumerate(entry.listed or ()) if entry.tensors is None else entry.tensors.items()
    for name, value in named:
        dense = value.layout is torch.strided and not value.is_quantized and value.device.type == "cpu"
        if not dense or value.is_complex():
            kind = f"{value.dtype} {value.layout} tensor on {value.device}"
            raise BackboneError(
                f"{path}: {entry.name}, {name} is a {kind}; weights are plain real numbers. Save the network's "
                "state_dict on the CPU, dense and not quantized."
            )
        if value.numel() * value.element_size() > value.untyped_storage().nbytes() + _REPEATED_BYTES:
            raise BackboneError(
                f"{path}: {entry.name}, {name} has {value.numel():,} numbers, far more than the file holds of it. Save "
                "it with .contiguous()."
            )


def _without_weights(content: Mapping, path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file that holds nothing else, and no network's; else the error."""
    if content and all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in content.items()):
        return dict(content)
    raise BackboneError(
        f"{path} holds no weights: its entries are {_tops(content)}. Give the file with the network's weights."
    )


def _tops(content: Mapping) -> str:
    return ", ".join(map(key_text, list(content)[:8])) or "nothing"


def _best_raw(plain: Sequence[Entry]) -> list[Entry]:
    """The raw weights under the most usual name; all where none has such a name."""
    named = [entry for entry in plain if entry.tensors is not None]
    for key in _RAW:
        if found := [entry for entry in named if entry.path and entry.path[-1] == key]:
            return found[:1] if len({entry.path for entry in found}) == 1 else found
    return named


def _only_average(averages: Sequence[Entry], raws: Sequence[Entry], content: Mapping, path: Path) -> _Fitted:
    fitting: list[_Fitted] = []
    causes = []
    for entry in averages:
        try:
            fitted = _fit(entry, raws, content, path)
        except BackboneError as error:
            causes.append(error)
            continue
        if not any(_same(fitted.tensors, other.tensors) for other in fitting):
            fitting.append(fitted)
    if len(fitting) > 1:
        raise BackboneError(
            f"{path} holds several averages of the weights: {_names([f.entry for f in fitting])}. {_HOW}."
        )
    if not fitting:
        raise causes[0]
    return fitting[0]


def _fit(entry: Entry, raws: Sequence[Entry], content: Mapping, path: Path) -> _Fitted:
    """An entry's weights by name; what it lacks, as untrained parameters, is taken from the raw ones.

    Raises:
        BackboneError: it fits none of the raw weights.
    """
    if not entry.averaged or (not raws and entry.tensors is not None):
        return _Fitted(entry, dict(entry.tensors or {}))
    for raw in raws:
        found = _listed(entry, raw.tensors) if entry.tensors is None else _by_name(entry.tensors, raw.tensors)
        if found is not None:
            left = tuple(name for name in raw.tensors if name not in found and name not in _FIXED)
            return _Fitted(entry, {name: found.get(name, value) for name, value in raw.tensors.items()}, left)
    raise _does_not_fit(entry, raws, content, path)


def _does_not_fit(entry: Entry, raws: Sequence[Entry], content: Mapping, path: Path) -> BackboneError:
    what = f"{path}: its averaged weights ({', '.join(entry.path)})"
    if entry.tensors is None and entry.listed is None:
        return BackboneError(f"{what} are not a list of tensors. {_HOW}: {_names(raws) or 'nothing else is there'}.")
    if not raws:
        return BackboneError(
            f"{path} holds no weights by name: its entries are {_tops(content)}. Its averaged weights "
            f"({', '.join(entry.path)}) are a list without names: save them as a state dict."
        )
    count = len(entry.listed if entry.tensors is None else entry.tensors)
    return BackboneError(
        f"{what} are {count} tensors, which do not fit the {len(raws[0].tensors)} parameters of {_names(raws)} one by "
        f"one. {_HOW}: {_names([entry, *raws]) if entry.tensors is not None else _names(raws)}; or save the averaged "
        "weights as a state dict, and give that file."
    )


def _by_name(tensors: Mapping[str, torch.Tensor], raw: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor] | None:
    """Averages under the raw names, for names with their dots or without (as buffers' must be); None for others."""
    for spelled in _spellings(raw):
        if set(tensors) <= set(spelled):
            found = {spelled[name]: value for name, value in tensors.items()}
            if all(value.shape == raw[name].shape for name, value in found.items()) and 2 * len(found) >= len(raw):
                return found
    return None


def _spellings(raw: Mapping[str, torch.Tensor]) -> list[dict[str, str]]:
    """Ways to write the raw names -> the raw names."""
    dotless = {name: name.replace(".", "") for name in raw}
    return [{name: name for name in raw}] + [
        {f"{wrapper.replace('.', '')}{short}": name for name, short in dotless.items()} for wrapper in ("", *WRAPPERS)
    ]


def _listed(entry: Entry, raw: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor] | None:
    """A list of averages under the raw names, in whose order it stands; None where it does not fit."""
    if entry.listed is None:
        return None
    trained = [name for name in raw if name not in _FIXED and name.rpartition(".")[2] not in _STATISTICS]
    moving = [name for name in raw if raw[name].is_floating_point()]
    for names in (list(raw), moving, trained, [name for name in moving if name not in ("sigmas", "all_modules.0.W")]):
        if [value.shape for value in entry.listed] == [raw[name].shape for name in names]:
            return dict(zip(names, entry.listed, strict=True))
    return None


def _named(wanted: str, entries: Sequence[Entry], path: Path) -> Entry:
    exact = [entry for entry in entries if wanted in (entry.name, "/".join(entry.path))]
    found = exact or [entry for entry in entries if entry.path and entry.path[-1] == wanted]
    if len(found) != 1:
        raise BackboneError(
            f"{path} has {'no' if not found else 'several'} weights {wanted!r}. `weights` may be one of: "
            f"{_names(entries) or 'nothing'}."
        )
    return found[0]


def _same(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    """Whether they are the same tensors under two names."""
    return one.keys() == other.keys() and all(value.data_ptr() == other[name].data_ptr() for name, value in one.items())


def _names(entries: Sequence[Entry]) -> str:
    shown = ", ".join(entry.name for entry in entries[:12])
    return shown + (f" and {len(entries) - 12} more" if len(entries) > 12 else "")


def _notes(fitted: _Fitted, entries: Sequence[Entry], content: Mapping, why: str) -> list[str]:
    used = fitted.entry
    others = [entry.name for entry in entries if entry is not used]
    tops = {name.split("/")[0] for name in (*others, used.name)}
    others += [key_text(k) for k, v in content.items() if isinstance(v, Mapping) and key_text(k) not in tops]
    if not (others or used.path or why):
        return []
    kind = "averaged (EMA) weights" if used.averaged else "weights"
    aside = f"; {', '.join(sorted(others)[:12])} left aside" if others else ""
    notes = [f"A training checkpoint: the {kind} in its entry {used.name!r} are used{why}{aside}."]
    if not used.averaged and any(entry.averaged for entry in entries):
        notes.append("These are raw weights; averaged (EMA) ones are in the file.")
    if fitted.raw:
        more = f" and {len(fitted.raw) - 5} more" if len(fitted.raw) > 5 else ""
        notes.append(f"Taken from the raw weights, as no average is kept of them: {', '.join(fitted.raw[:5])}{more}.")
    return notes
