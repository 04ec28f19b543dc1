"""What every detector is, and how one reads images."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np

from cfs_explore.contracts import Cost
from cfs_explore.errors import CFSError

if TYPE_CHECKING:
    from cfs_explore.backbones.base import Backbone
    from cfs_explore.readings.protocol import Reading


class Detector(Protocol):
    """Readings of a backbone, a model of ID-train's, and a score.

    Attributes:
        name: in the registry.
        draws: noise draws per image.
        title: what people call it.
        paper: where it comes from, with its number in arXiv.
        variant: "original", "CFS paper's version", "reduced" or "this project's".
        meaning: what a high score means, in one plain sentence.
        trajectory: whether it reads an image at several levels, snapshots aside; the claim that none is needed is about
            these.
    """

    name: str
    draws: int
    title: str
    paper: str
    variant: str
    meaning: str

    def readings(self, backbone: Backbone) -> Sequence[Reading]:
        """What it reads of this backbone; they declare levels, forwards and Jacobian-vector products."""

    def read(
        self,
        backbone: Backbone,
        images: np.ndarray,
        ids: Sequence[str] | None = None,
        seed: int = 0,
        noise: np.ndarray | None = None,
    ) -> np.ndarray:
        """Readings z of images, float32 (draw, image, feature)."""

    def fit(self, z_train: np.ndarray) -> Self:
        """Learn from ID-train readings (draw, image, feature)."""

    def score(self, z: np.ndarray) -> np.ndarray:
        """float64 (image,), higher = more OOD."""

    def cost(self, backbone: Backbone) -> Cost:
        """Per image, all draws (theory 19)."""

    def fit_cost(self, backbone: Backbone) -> Cost:
        """Per ID-train image, all draws: what the readings take that ``fit`` learns from."""

    def notes(self, backbone: Backbone) -> list[str]:
        """What a reader must know of it on this backbone, a sentence each, such as levels that are out of reach."""


class ReadingDetector:
    """What detectors share: reading and cost follow from ``readings``.

    Args:
        draws: noise draws per image.

    Attributes:
        columns_: after ``read``: name -> slice of the feature axis, reading by reading and level by level.
    """

    name: str = ""
    title: str = ""
    paper: str = ""
    variant: str = ""
    meaning: str = ""
    trajectory: bool = True

    def __init__(self, draws: int = 1):
        if not isinstance(draws, Integral) or draws < 1:
            raise CFSError(f"draws must be at least 1 and a whole number. Got {draws!r} instead.")
        self.draws = draws

    def readings(self, backbone: Backbone) -> Sequence[Reading]:
        raise NotImplementedError

    def columns(self, backbone: Backbone) -> dict[str, slice]:
        """Name, as in "up_blocks.1.resnets.1 @ 5", -> slice of the feature axis of z."""
        found, start = {}, 0
        for reading in self.readings(backbone):
            part = columns_of(reading)
            found |= {name: slice(start + each.start, start + each.stop) for name, each in part.items()}
            start += max((each.stop for each in part.values()), default=0)
        return found

    def read(
        self,
        backbone: Backbone,
        images: np.ndarray,
        ids: Sequence[str] | None = None,
        seed: int = 0,
        noise: np.ndarray | None = None,
        **options,
    ) -> np.ndarray:
        """Readings of an array of images.

        Args:
            backbone: from ``load_backbone``.
            images: float (n, *image_shape) in [-1, 1].
            ids: that key the noise, with ``seed``; None derives them from the pixels, as ``cfs.extract`` does.
            noise: given noise (draws, n, *input_shape) instead; what a reading draws on its way is keyed as ever.
            options: as of ``read_one``.

        Returns:
            float32 (draw, image, feature).
        """
        parts = [
            self.read_one(reading, backbone, images, ids, seed, noise, **options) for reading in self.readings(backbone)
        ]
        self.columns_ = self.columns(backbone)
        return np.concatenate(parts, axis=2)

    def read_one(
        self,
        reading: Reading,
        backbone: Backbone,
        images: np.ndarray,
        ids: Sequence[str] | None = None,
        seed: int = 0,
        noise: np.ndarray | None = None,
        *,
        batch_size: int | None = None,
        precision: str = "fp32",
        after_batch: Callable[[int], None] | None = None,
    ) -> np.ndarray:
        """One of ``readings``, float32 (draw, image, feature): a part of what ``read`` gives.

        Args:
            batch_size, precision: as for ``cfs.extract``.
            after_batch: as for ``readings.loop.Reader``.
        """
        from cfs_explore.readings.arrays import blocks
        from cfs_explore.readings.loop import Reader

        reader = Reader(backbone, reading, batch_size=batch_size, precision=precision, after_batch=after_batch)
        found = [block for _, block in blocks(reader, images, self.draws, seed, noise, ids)]
        if not found:  # no image
            draws = self.draws if noise is None else len(noise)
            found = [np.empty((len(reader.levels), draws, 0, reader.width), np.float32)]
        z = np.concatenate(found, axis=2).transpose(1, 2, 0, 3)  # (draw, image, level, feature)
        return z.reshape(*z.shape[:2], len(reader.levels) * reader.width).astype(np.float32)

    def identity(self, *readings: Reading) -> str:
        """The same for readings, with this detector's draws, that give the same, so that detectors can share them."""
        parts = [
            (
                reading.name,
                tuple((level.requested, level.a, level.b) for level in reading.levels),
                tuple(reading.columns),
            )
            for reading in readings
        ]
        return repr((self.draws, parts))

    def cost_of(self, reading: Reading) -> Cost:
        """Of one of ``readings`` per image, all draws."""
        return reading.cost.times(len(reading.levels) * self.draws)

    def cost(self, backbone: Backbone) -> Cost:
        """Per image, all draws (theory 19)."""
        return functools.reduce(operator.add, map(self.cost_of, self.readings(backbone)))

    def fit_cost(self, backbone: Backbone) -> Cost:
        """Per ID-train image, all draws; that of a test image, unless ``fit`` chooses among readings."""
        return self.cost(backbone)

    def requested(self, backbone: Backbone) -> list[float]:
        """Every log-SNR that it asks for, once; a detector whose readings walk through further levels adds these."""
        return list(dict.fromkeys(level.requested for r in self.readings(backbone) for level in r.levels))

    def notes(self, backbone: Backbone) -> list[str]:
        """A sentence for each level that is out of this backbone's reach, naming the one that stands in for it."""
        return backbone.out_of_reach(self.requested(backbone))


def columns_of(reading: Reading) -> dict[str, slice]:
    """Name, as in "up_blocks.1.resnets.1 @ 5", -> slice of the features of one reading, level by level."""
    found, start = {}, 0
    for level in reading.levels:
        for name, part in reading.columns.items():
            stop = start + part.stop - part.start
            found[f"{name} @ {level.requested:g}"], start = slice(start, stop), stop
    return found
