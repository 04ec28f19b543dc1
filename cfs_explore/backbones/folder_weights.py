"""The files with weights in a folder of a diffusers or transformers model: variants, shards and formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from cfs_explore.backbones.checkpoint import read_content
from cfs_explore.backbones.stored_weights import says_average
from cfs_explore.backbones.weight_names import STORED, WEIGHTS
from cfs_explore.backbones.weights_choice import choose_weights
from cfs_explore.errors import BackboneError

#: Weights before averaging, as Stable Diffusion's folders call them.
_RAW = "non_ema"


@dataclass(frozen=True)
class StoredForm:
    """One of the forms in which a folder holds the weights.

    Attributes:
        variant: as in ``diffusion_pytorch_model.VARIANT.safetensors``; None for the usual one.
        format: "safetensors" or "bin".
        files: one, or all shards in order.
    """

    variant: str | None
    format: str
    files: tuple[Path, ...]

    @property
    def is_sharded(self) -> bool:
        return STORED.fullmatch(self.files[0].name)["part"] is not None

    def read(self, wanted: str | None = None) -> tuple[dict[str, torch.Tensor], list[str], bool]:
        """The weights without wrappers' prefixes, notes, and whether the names are the files' own.

        Raises:
            BackboneError: a file is damaged, a shard is missing, or as ``choose_weights``.
        """
        content: dict = {}
        for file in self._all_there():
            content |= read_content(file)
        tensors, notes = choose_weights(content, self.files[0].parent, wanted)
        return tensors, notes, tensors.keys() == content.keys()

    def note(self, others: list[StoredForm]) -> list[str]:
        """Which form is used, where it is not the usual one, which is used only where there is no average."""
        if self.variant is None:
            return []
        beside = sorted({form.variant or "the usual one" for form in others if form.variant != self.variant})
        aside = f"; {', '.join(beside)} left aside" if beside else ""
        return [f"Of the weights' files, {self.variant} is used{aside}."]

    def _all_there(self) -> tuple[Path, ...]:
        found = STORED.fullmatch(self.files[0].name)
        if found["parts"] is not None and len(self.files) != int(found["parts"]):
            raise BackboneError(
                f"{self.files[0].parent} holds {len(self.files)} of the {int(found['parts'])} parts of its weights "
                f"({self.files[0].name}, ...). Get the others."
            )
        return self.files


def stored_forms(home: Path) -> list[StoredForm]:
    """Every form of the weights in a folder, the one to use first.

    An average first, then the usual one, then half precision; safetensors before files of torch.
    """
    groups: dict[tuple, list[Path]] = {}
    for path in sorted(home.iterdir()):
        if found := STORED.fullmatch(path.name):
            key = (found["before"] or found["after"], found["format"], found["part"] is None, found["parts"], found[1])
            groups.setdefault(key, []).append(path)
    forms = [StoredForm(key[0], key[1], tuple(files)) for key, files in groups.items()]
    return sorted(forms, key=lambda form: (_rank(form.variant), form.variant or "", form.format != "safetensors"))


def _rank(variant: str | None) -> int:
    if variant == _RAW:
        return 3
    if variant is None:
        return 1
    return 0 if says_average(variant) else 2


def choose_form(home: Path, wanted: str | None = None) -> tuple[StoredForm, str | None, list[str]]:
    """The form of the weights to use, which entry of it is wanted, and notes.

    Args:
        home: the folder.
        wanted: a variant's name, or an entry's inside the files.

    Raises:
        BackboneError: there is none, or several averages are there and none is wanted.
    """
    forms = stored_forms(home)
    if not forms:
        held = ", ".join(sorted(path.name for path in home.iterdir() if WEIGHTS.fullmatch(path.name))[:6])
        raise BackboneError(
            f"{home} holds no weights in a form that is read, which are diffusion_pytorch_model.safetensors or .bin, "
            f"also as variants (.ema, .fp16, .bf16) and in shards. It holds {held or 'no weights at all'}."
        )
    if named := [form for form in forms if form.variant is not None and form.variant == wanted]:
        return named[0], None, named[0].note(forms)
    averages = {form.variant for form in forms if _rank(form.variant) == 0}
    if len(averages) > 1:
        raise BackboneError(
            f"{home} holds several averages of the weights: {', '.join(sorted(averages))}. Choose with `weights`, in a "
            "spec's `backbone` or as --weights of cfs-explore inspect."
        )
    return forms[0], wanted, forms[0].note(forms)


def read_weights(
    home: Path, wanted: str | None = None
) -> tuple[Mapping[str, torch.Tensor], list[str], StoredForm, bool]:
    """The weights in a folder, notes, the form that they were read from, and whether the names are the files' own.

    Raises:
        BackboneError: as ``choose_form`` and ``StoredForm.read``.
    """
    form, entry, notes = choose_form(home, None if wanted == home.name else wanted)
    tensors, more, own = form.read(entry)
    return tensors, [*notes, *more], form, own
