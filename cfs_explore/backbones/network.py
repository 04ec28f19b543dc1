"""A loaded network as a Backbone: what all families share once weights and conditioning are known."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch

from cfs_explore.backbones.base import as_images, per_image
from cfs_explore.backbones.conditioning import Conditioning
from cfs_explore.backbones.conditions import Call, Conditions
from cfs_explore.backbones.fingerprint import fingerprint_module
from cfs_explore.backbones.sites import measure_taps
from cfs_explore.contracts import Level, Tap
from cfs_explore.errors import BackboneError
from cfs_explore.levels import out_of_reach

#: torch's random state is the process's: two threads that draw weights at once would mix them.
_DRAWING = threading.Lock()


class Autoencoder(Protocol):
    """Between images (B, *image_shape) in [-1, 1] and the latents of a network."""

    image_shape: tuple[int, int, int]
    fingerprint: str

    def encode(self, images: torch.Tensor) -> torch.Tensor: ...

    def decode(self, latents: torch.Tensor) -> torch.Tensor: ...


def first_output(_tap: str, output: Any) -> torch.Tensor:
    """The activation of a module that gives a tensor, or a tuple that starts with it."""
    return output[0] if isinstance(output, tuple) else output


def without_special_tokens(count: int) -> Callable[[str, Any], torch.Tensor]:
    """The activation (B, tokens, C) of a transformer block, without its first ``count`` tokens."""
    return lambda tap, output: first_output(tap, output)[:, count:]


class Network:
    """A frozen network with its conditioning; see ``Backbone`` for the members.

    Args:
        module: with its weights, in any mode, on its device.
        conditioning: how it is fed and read.
        family: key in ``FAMILIES``.
        name: what a user sees.
        input_shape: (C, H, W) of what is corrupted.
        sites: module name -> (region, kind) of everything that can be tapped, in any order.
        fresh: builds the same architecture with random weights, on the CPU.
        call: (module, network input, network conditioning) -> output (B, >= C, H, W); None calls the module with both.
        conditions: of a network with classes or text, in place of ``call``.
        autoencoder: for networks in latent space.
        activation: as in ``Backbone``.
        published: conditioning of the paper's own code, where it differs.
        notes: what the loader found and decided.
        identity: what else decides the numbers, for the fingerprint; the conditions aside.
        marks: what sets it apart from the network as it was loaded, for the fingerprint.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        conditioning: Conditioning,
        *,
        family: str,
        name: str,
        input_shape: tuple[int, int, int],
        sites: Mapping[str, tuple[str, str]],
        fresh: Callable[[], torch.nn.Module],
        call: Call | None = None,
        conditions: Conditions | None = None,
        autoencoder: Autoencoder | None = None,
        activation: Callable[[str, Any], torch.Tensor] = first_output,
        published: Conditioning | None = None,
        notes: Sequence[str] = (),
        identity: Sequence[str] = (),
        marks: Sequence[str] = (),
    ):
        self.module = module.eval().requires_grad_(False)
        self.family, self.name, self.notes = family, name, tuple(notes)
        self.input_shape = tuple(input_shape)
        self.image_shape = self.input_shape if autoencoder is None else tuple(autoencoder.image_shape)
        self.parameters = sum(p.numel() for p in module.parameters())
        self.activation = activation
        self._conditioning, self._published = conditioning, published
        self._conditions = conditions
        self._call = call or (lambda network, inputs, native: network(inputs, native))
        if conditions is not None:
            self._call = conditions.call
        self._sites, self._fresh, self._autoencoder = dict(sites), fresh, autoencoder
        self._identity, self._marks = tuple(identity), tuple(marks)
        self._taps: tuple[Tap, ...] | None = None

    @functools.cached_property
    def fingerprint(self) -> str:
        """Computed when asked for: reading all of a large network takes seconds."""
        told = [] if self._conditions is None else [self._conditions.identity]
        latents = [] if self._autoencoder is None else [self._autoencoder.fingerprint]
        digests = [*self._identity, *told, *self._marks, *latents]
        return fingerprint_module(self.module, self._conditioning.schedule, digests)

    @property
    def condition(self) -> str:
        return "" if self._conditions is None else self._conditions.words

    @property
    def device(self) -> torch.device:
        return next(self.module.parameters()).device

    @property
    def schedule(self) -> str:
        return str(self._conditioning.schedule)

    @property
    def reach(self) -> tuple[float, float]:
        return self._conditioning.schedule.reach

    def match(self, lam: float, alignment: str = "logsnr") -> Level:
        return self._conditioning.schedule.match(lam, alignment)

    def out_of_reach(self, lams: Sequence[float]) -> list[str]:
        return out_of_reach(self._conditioning.schedule, list(lams))

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        return images if self._autoencoder is None else self._autoencoder.encode(images)

    def decode(self, x: torch.Tensor) -> torch.Tensor:
        return x if self._autoencoder is None else self._autoencoder.decode(x)

    def forward(self, x: torch.Tensor, level: Level | Sequence[Level]) -> torch.Tensor:
        inputs, condition = self._conditioning.inputs(x, per_image(level, "native", x))
        return self._call(self.module, inputs, condition)

    def predict_eps(self, x: torch.Tensor, level: Level | Sequence[Level]) -> torch.Tensor:
        a, b = (as_images(per_image(level, key, x)) for key in ("a", "b"))
        out = self.forward(x, level)[:, : self.input_shape[0]]  # learned variances, if any, follow the mean
        return self._conditioning.eps(out, x, per_image(level, "native", x), a, b)

    def predict_x0(self, x: torch.Tensor, level: Level | Sequence[Level]) -> torch.Tensor:
        a, b = (as_images(per_image(level, key, x)) for key in ("a", "b"))
        return (x - b * self.predict_eps(x, level)) / a

    def taps(self) -> tuple[Tap, ...]:
        if self._taps is None:
            self._taps = measure_taps(self, self._sites)
        return self._taps

    def untrained(self, seed: int) -> Network:
        with (
            _DRAWING,
            torch.random.fork_rng(devices=[]),
        ):  # on the CPU, so that a seed gives one network on every device
            torch.manual_seed(seed)
            module = self._fresh()
        return self._like(module.to(self.device), self._conditioning, f"{self.name}, untrained ({seed})")

    def published(self) -> Network | None:
        if self._published is None:
            return None
        return self._like(self.module, self._published, f"{self.name}, published conditioning", marks=("published",))

    def given(self, wanted: Sequence[int | str]) -> list[Network]:
        if self._conditions is None:
            raise BackboneError(
                f"{self.name} knows no classes and takes no text: leave `conditioning_labels` and "
                "`conditioning_prompts` out."
            )
        return [
            self._like(self.module, self._conditioning, f"{self.name}, {found.words}", conditions=found)
            for found in self._conditions.given(wanted)
        ]

    def _like(self, module: torch.nn.Module, conditioning: Conditioning, name: str, **changes: Any) -> Network:
        same = {
            "family": self.family,
            "input_shape": self.input_shape,
            "sites": self._sites,
            "fresh": self._fresh,
            "call": self._call,
            "conditions": self._conditions,
            "autoencoder": self._autoencoder,
            "activation": self.activation,
            "notes": self.notes,
            "identity": self._identity,
            "marks": self._marks,
        }
        return Network(module, conditioning, name=name, **(same | changes))
