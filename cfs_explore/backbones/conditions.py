"""What networks are conditioned on besides their level: a class of their table, or a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import torch

from cfs_explore.backbones.prompt import Encoder, Prompt
from cfs_explore.errors import BackboneError

#: (module, network input, network conditioning) -> output.
Call = Callable[[torch.nn.Module, torch.Tensor, torch.Tensor], torch.Tensor]


class Conditions(Protocol):
    """What one network is conditioned on, and what else it could be.

    Attributes:
        words: what it is conditioned on: "null class", "label 3", "empty prompt".
        call: one forward of the network, so conditioned.
        identity: what of it decides the numbers, for the fingerprint.
    """

    @property
    def words(self) -> str: ...

    @property
    def call(self) -> Call: ...

    @property
    def identity(self) -> str: ...

    def given(self, wanted: Sequence[int | str]) -> list[Conditions]:
        """Conditioned on each of these labels or prompts; BackboneError naming the one that it cannot be."""


@dataclass(frozen=True)
class Classes:
    """Of a class-conditional network.

    Attributes:
        source: of the network, for errors.
        rows: of its table, from 0, a null class with a row of its own included.
        label: the row that it is conditioned on; None: a null class without a row (EDM's zeros).
        null: the row of the null class; None where it has none.
        caller: a label -> the network's call.
    """

    source: Path
    rows: int
    label: int | None
    null: int | None
    caller: Callable[[int | None], Call]

    @property
    def words(self) -> str:
        return "null class" if self.label == self.null else f"label {self.label}"

    @property
    def call(self) -> Call:
        return self.caller(self.label)

    @property
    def identity(self) -> str:
        return "" if self.label is None else f"label {self.label}"

    def given(self, wanted: Sequence[int | str]) -> list[Classes]:
        for label in wanted:
            self._check(label)
        return [replace(self, label=label) for label in wanted]

    def _check(self, label: int | str) -> None:
        if isinstance(label, str):
            raise BackboneError(
                f"{self.source} is conditioned on classes and takes no text (got {label!r:.80}): leave "
                f"`conditioning_prompts` out, and give `conditioning_labels`, {self._allowed}."
            )
        if not 0 <= label < self.rows:
            raise BackboneError(f"{self.source} has no class {label}: `conditioning_labels` may have {self._allowed}.")
        if label == self.label:
            raise BackboneError(
                f"`conditioning_labels` has {label}, which {self.source} is conditioned on anyway ({self.words}): "
                "leave that one out."
            )

    @property
    def _allowed(self) -> str:
        if self.null is None:
            return f"0 to {self.rows - 1}"
        return f"0 to {self.rows - 2} (and {self.null}, the null class)"


@dataclass(frozen=True)
class Texts:
    """Of a network that is conditioned on text.

    Attributes:
        source: of the network, for errors.
        prompt: that it is conditioned on.
        caller: embeddings of a prompt -> the network's call.
        encoder: texts -> their embeddings.
    """

    source: Path
    prompt: Prompt
    caller: Callable[[Prompt], Call]
    encoder: Encoder

    @property
    def words(self) -> str:
        return self.prompt.words

    @property
    def call(self) -> Call:
        return self.caller(self.prompt)

    @property
    def identity(self) -> str:
        return f"prompt {self.prompt.digest}"

    def given(self, wanted: Sequence[int | str]) -> list[Texts]:
        for text in wanted:
            if not isinstance(text, str):
                raise BackboneError(
                    f"{self.source} is conditioned on text and knows no classes (got {text!r}): leave "
                    "`conditioning_labels` out, and give `conditioning_prompts`."
                )
        prompts = self.encoder(wanted)
        seen = {self.prompt.digest: f"the {self.words}"}
        for text, prompt in zip(wanted, prompts, strict=True):
            if prompt.digest in seen:
                raise BackboneError(
                    f"`conditioning_prompts` has {text!r:.80}, which the text encoders of {self.source} cannot tell "
                    f"from {seen[prompt.digest]:.80}: leave one of them out."
                )
            seen[prompt.digest] = repr(text)
        device = self.prompt.tokens.device
        return [replace(self, prompt=prompt.to(device)) for prompt in prompts]
