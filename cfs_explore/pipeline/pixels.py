"""The pixels of a prepared set by the places of its images: kept by the run, or read from the set's source again."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cfs_explore import images
from cfs_explore.errors import ImageError, SourceError
from cfs_explore.images.preprocess import to_input
from cfs_explore.settings import read_settings
from cfs_explore.store import SetWork

if TYPE_CHECKING:
    from cfs_explore.pipeline.prepare import PlannedSet


def are_kept(count: int, image_shape: tuple[int, int, int]) -> bool:
    """Whether a run keeps the pixels of a set of so many images (``CFS_EXPLORE_INPUTS_GB``)."""
    return count * int(np.prod(image_shape)) <= read_settings().inputs_bytes


def note_reading(work: SetWork, shape: Sequence[int], seed: int, places: np.ndarray) -> None:
    """Say how the pixels of a set with written rows are read again.

    Args:
        work: of the set.
        shape: of an image, (C, H, W).
        seed: of its limit.
        places: of its images in the source, rising, int64 (n,).
    """
    digest = hashlib.blake2b(digest_size=16)
    for rows in work.row_parts(["image_id"]):
        digest.update("".join(rows["image_id"]).encode())
    work.write_reading({"shape": list(shape), "seed": seed, "images": digest.hexdigest()}, places)


@contextlib.contextmanager
def open_pixels(planned: PlannedSet) -> Iterator[np.ndarray | SourcePixels]:
    """The pixels of a prepared set: uint8 (n, C, H, W), of which slices and lists of places are taken.

    Raises:
        SourceError: when they are read, that the source does not give these images any more. DamageError.
    """
    if planned.work.inputs_path.is_file() or not planned.work.has_pixels():
        yield planned.work.inputs()
        return
    with SourcePixels(planned) as pixels:
        yield pixels


class SourcePixels:
    """Images of a set, decoded whenever they are asked for; each is compared with its id. A context manager.

    Args:
        planned: a set that was prepared without keeping its pixels.
    """

    def __init__(self, planned: PlannedSet):
        self._planned = planned
        facts, self._places = planned.work.reading()
        self._seed, self._shape = int(facts["seed"]), tuple(facts["shape"])
        self._ids = planned.work.rows(["image_id"])["image_id"].to_numpy()

    def __enter__(self) -> SourcePixels:
        return self

    def __exit__(self, *exception) -> None:
        if "_source" in self.__dict__:
            self._source.close()

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, rows: slice | Sequence[int] | np.ndarray) -> np.ndarray:
        """uint8 (len(rows), C, H, W), in the order of ``rows``.

        Raises:
            SourceError: the source cannot be opened, or does not give these images any more.
        """
        rows = np.arange(len(self))[rows]
        found = np.empty((len(rows), *self._shape), dtype=np.uint8)
        for at in np.argsort(self._places[rows], kind="stable"):  # tables are read forwards
            found[at] = self._read(int(rows[at]))
        return found

    def _read(self, row: int) -> np.ndarray:
        name = self._planned.images.name
        try:
            record = self._source.read(int(self._places[row]))
        except (ImageError, IndexError) as error:
            raise SourceError(f"The set {name} has changed since it was prepared: {error} {_ADVICE}") from error
        if record.image_id != self._ids[row]:
            raise SourceError(
                f"The set {name} has changed since it was prepared: {record.name} holds other pixels, or stands "
                f"where another image stood. {_ADVICE}"
            )
        return to_input(record.pixels, self._shape, **self._planned.fitting)

    @functools.cached_property
    def _source(self) -> images.Source:
        given = self._planned.images
        try:
            return images.open_source(given.source, limit=given.limit, seed=self._seed, **given.part())
        except SourceError as error:
            raise SourceError(f"The set {given.name}, which is read by whoever measures it: {error}") from error


_ADVICE = (
    "All that measure a run need the same images, and the same version of Pillow. Put them back, or start anew in "
    "another folder."
)
