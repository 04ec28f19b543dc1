"""The Backbone protocol: everything the rest of the project may ask of a frozen diffusion network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch

from cfs_explore.contracts import Level, Tap


class Backbone(Protocol):
    """A frozen diffusion network.

    Attributes:
        name: what a user sees.
        family: key in ``FAMILIES``.
        image_shape: (C, H, W) of the images that it takes, values in [-1, 1].
        input_shape: (C, H, W) of what is corrupted: ``image_shape``, or that of the latents.
        module: the network; taps are names of its submodules.
        device: where it lives.
        schedule: its noise schedule, in words.
        reach: lowest and highest log-SNR it was trained on.
        fingerprint: digest of weights and configuration.
        parameters: number of weights.
        notes: what the loader found and decided, a sentence each.
        condition: what it is conditioned on besides its level, such as "null class"; "" for a network without classes
            and text.
    """

    name: str
    family: str
    image_shape: tuple[int, int, int]
    input_shape: tuple[int, int, int]
    module: torch.nn.Module
    device: torch.device
    fingerprint: str
    parameters: int
    notes: tuple[str, ...]
    condition: str
    schedule: str

    @property
    def reach(self) -> tuple[float, float]: ...

    def match(self, lam: float, alignment: str = "logsnr") -> Level:
        """The native level nearest to log-SNR ``lam`` (theory 1)."""

    def out_of_reach(self, lams: Sequence[float]) -> list[str]:
        """A sentence for each requested level that ``match`` misses, naming the nearest reachable one."""

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Images (B, *image_shape) -> the x0 (B, *input_shape) that is corrupted: themselves, or their latents."""

    def decode(self, x: torch.Tensor) -> torch.Tensor:
        """The inverse of ``encode``."""

    def forward(self, x: torch.Tensor, level: Level | Sequence[Level]) -> torch.Tensor:
        """Raw network output for x_lam of shape (B, *input_shape); one level for all, or one per image."""

    def predict_eps(self, x: torch.Tensor, level: Level | Sequence[Level]) -> torch.Tensor:
        """Estimated noise, (B, *input_shape)."""

    def predict_x0(self, x: torch.Tensor, level: Level | Sequence[Level]) -> torch.Tensor:
        """One-step estimate of the clean x0, (B, *input_shape)."""

    def taps(self) -> tuple[Tap, ...]:
        """Every site that can be read, in execution order."""

    def activation(self, tap: str, output: Any) -> torch.Tensor:
        """What is pooled of a tapped module's output: (B, C, H, W), or (B, tokens, C) without special tokens."""

    def untrained(self, seed: int) -> Backbone:
        """The same architecture and schedule with freshly drawn weights, on the same device (theory 18)."""

    def published(self) -> Backbone | None:
        """The same network with its level embedded as by the paper's own code; None where that makes no difference."""

    def given(self, wanted: Sequence[int | str]) -> list[Backbone]:
        """The same network conditioned on each of these labels, or prompts, without guidance (theory 1).

        Raises:
            BackboneError: naming the one that it cannot be conditioned on, and what it can.
        """


def per_image(level: Level | Sequence[Level], attribute: str, x: torch.Tensor) -> torch.Tensor:
    """An attribute of the level(s) as a float32 tensor (B,) on the device of ``x`` (B, ...)."""
    levels = [level] * len(x) if isinstance(level, Level) else level
    if len(levels) != len(x):
        raise ValueError(f"got {len(levels)} levels for {len(x)} images; give one level, or one per image")
    return torch.tensor([getattr(lv, attribute) for lv in levels], dtype=torch.float32, device=x.device)


def as_images(values: torch.Tensor) -> torch.Tensor:
    """(B,) -> (B, 1, 1, 1), to multiply images."""
    return values.view(-1, 1, 1, 1)
