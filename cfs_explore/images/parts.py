"""Parts of an image set: a seeded subsample, one half of every class, the middle of every image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ..errors import ImageError, SourceError
from .record import Record, Source, WrappedSource

HALVES = ("first", "second")


class PartSource(WrappedSource):
    """Some images of another source, in that source's order.

    Args:
        source: closed with this one.
        indices: of the images, ascending.
    """

    def __init__(self, source: Source, indices: Iterable[int]) -> None:
        super().__init__(source)
        self._indices = [int(index) for index in indices]
        self.names = [source.names[i] for i in self._indices]

    def labels(self) -> list[str]:
        labels = self._source.labels()
        return [labels[i] for i in self._indices]

    def _read(self, index: int) -> Record:
        return self._source.read(self._indices[index])


def sampled(source: Source, limit: int, seed: int) -> PartSource:
    """``limit`` images, drawn without replacement."""
    draw = np.random.Generator(np.random.PCG64(seed)).choice(len(source), size=limit, replace=False)
    return PartSource(source, np.sort(draw))


def half_of(source: Source, half: str, seed: int) -> PartSource:
    """One half of the images, drawn class by class: of an odd class, the first half has one more.

    The halves of one seed share no image, and together they are the whole set. Images without a label are a class.

    Args:
        source: closed with the half.
        half: one of ``HALVES``.
        seed: of the draw.

    Raises:
        SourceError: the half is empty.
    """
    numbers: dict[str, int] = {}
    classes = np.array([numbers.setdefault(label, len(numbers)) for label in source.labels()])
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(source))
    by_class = order[np.argsort(classes[order], kind="stable")]  # class after class, each in drawn order
    sizes = np.bincount(classes)
    place = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)  # of each image in its class
    in_first = place < np.repeat((sizes + 1) // 2, sizes)
    chosen = np.sort(by_class[in_first if half == "first" else ~in_first])
    if not len(chosen):
        raise SourceError(f"the {half} half of {source.location} is empty: no class has two images.")
    return PartSource(source, chosen)


class CentreSource(WrappedSource):
    """The middle square of every image, in its native pixels; smaller images cannot be read.

    Their ids are those of the squares; width and height stay those of the whole images.

    Args:
        source: closed with this one.
        side: of the square in pixels; where one more pixel is left on one side, that is the right or the lower one.
    """

    def __init__(self, source: Source, side: int) -> None:
        super().__init__(source)
        self.names, self._side = source.names, side

    def _read(self, index: int) -> Record:
        whole, side = self._source.read(index), self._side
        height, width = whole.pixels.shape[:2]
        if min(height, width) < side:
            raise ImageError(f"{whole.name}: {width} x {height} pixels, less than the centre_crop of {side}.")
        top, left = (height - side) // 2, (width - side) // 2
        pixels = np.ascontiguousarray(whole.pixels[top : top + side, left : left + side])
        pixels.setflags(write=False)
        return replace(whole, pixels=pixels)
