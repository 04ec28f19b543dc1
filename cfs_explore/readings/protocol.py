"""What every reading is, and the batch of corrupted images that it reads."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from cfs_explore.backbones.base import Backbone, as_images, per_image
from cfs_explore.contracts import Cost, Level
from cfs_explore.corruption import corrupt


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows of a block that go through the network together; a row is one (level, draw, image).

    Attributes:
        clean: x0 of the block's images, (n, *input_shape).
        eps: their noise, (draws, n, *input_shape).
        images, draws: positions of the rows in these, int64 (B,) on the device.
        levels: of the corruption, one a row.
        conditioning: the level that the network is conditioned on, one a row.
        layout: in memory, of ``x``.
        keys: seed and image id in one text, and draw, of each row: they key further noise; None without ids.
    """

    clean: torch.Tensor
    eps: torch.Tensor
    images: torch.Tensor
    draws: torch.Tensor
    levels: Sequence[Level]
    conditioning: Sequence[Level]
    layout: torch.memory_format
    keys: Sequence[tuple[str, int]] | None = None

    @property
    def x0(self) -> torch.Tensor:
        """The clean images, (B, *input_shape)."""
        return self.clean[self.images]

    @property
    def noise(self) -> torch.Tensor:
        """e, (B, *input_shape)."""
        return self.eps[self.draws, self.images]

    @functools.cached_property
    def x(self) -> torch.Tensor:
        """x_lam = a x0 + b e (theory 1), (B, *input_shape)."""
        a, b = (as_images(per_image(self.levels, name, self.images)) for name in ("a", "b"))
        return corrupt(self.x0, self.noise, a, b).contiguous(memory_format=self.layout)


class Reading(Protocol):
    """What is read of a backbone for an image at declared levels.

    The loop (``loop.Reader``) batches rows, one for each (level, draw, image), and gives (level, draw, image, feature).
    A reading that follows a path through many levels has one level, where the path begins, and all that it meets on
    the way among its features. Rows do not know of each other: what a reading gives must not depend on the batch.

    Attributes:
        name: of the reading.
        unit: what a column is, in messages.
        levels: where images are corrupted before they are read.
        columns: name -> slice of the feature axis, without gaps.
        cost: of one row (theory 19).
    """

    name: str
    unit: str
    levels: tuple[Level, ...]
    columns: Mapping[str, slice]
    cost: Cost

    def read(self, backbone: Backbone, batch: Batch) -> torch.Tensor:
        """Features of a batch, float32 (B, width); float64 where sums over pixels need it.

        It runs in inference mode and, on a CPU, beside other batches; where ``cost`` has Jacobian-vector products it
        runs alone and without inference mode, so that ``torch.func.jvp`` works.
        """
