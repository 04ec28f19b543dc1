"""The images of a run exactly as its backbone took them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cfs_explore.corruption import to_signed
from cfs_explore.errors import SourceError
from cfs_explore.explorations import pictures
from cfs_explore.images import to_input
from cfs_explore.images.decode import decode
from cfs_explore.images.record import Record
from cfs_explore.store import Run
from cfs_explore.store.manifest import SetEntry


@dataclass(frozen=True, eq=False)
class ProbeImage:
    """One image for the probe.

    Attributes:
        image_id: keys its noise.
        pixels: uint8 (C, H, W), as the backbone takes it; its value in [-1, 1] is x / 127.5 - 1.
        name, label: in its set.
    """

    image_id: str
    pixels: np.ndarray
    name: str
    label: str = ""

    @property
    def x0(self) -> np.ndarray:
        """float32 (C, H, W) in [-1, 1]."""
        return to_signed(self.pixels)


def stored_image(run: Run, entry: SetEntry, row: Mapping, *, search: bool = True) -> ProbeImage:
    """An image of a run's set with the very pixels that the run measured.

    An image is known by its pixels: a thumbnail will do if the image was no larger than one.

    Args:
        run: finished.
        entry: of the set.
        row: image_id, name, label, and thumbnail (PNG bytes, or empty).
        search: open the set's source where the thumbnail will not do.

    Raises:
        SourceError: the pixels are not on this machine.
    """
    if row["thumbnail"]:
        record = decode(row["thumbnail"], row["name"])
        if record.image_id == row["image_id"]:
            return _fitted(run, record, row)
    record = pictures.find_record(run, entry, row["image_id"], row["name"]) if search else None
    if record is None:
        raise SourceError(
            f"{row['name']} of {entry.name} is not here in its full size: the run keeps a small copy at most, and the "
            "source of the set cannot be opened on this computer. Put it back, or upload an image."
        )
    return _fitted(run, record, row)


def given_image(run: Run, data: bytes, name: str) -> ProbeImage:
    """An image file, fitted to the run's backbone as the run fitted its own.

    Raises:
        ImageError: it cannot be decoded.
    """
    record = decode(data, name)
    return _fitted(run, record, {"name": record.name, "label": ""})


def _fitted(run: Run, record: Record, row: Mapping) -> ProbeImage:
    pixels = to_input(record.pixels, run.manifest.backbone.image_shape, run.manifest.spec.get("resize", "crop"))
    return ProbeImage(record.image_id, pixels, row["name"], row["label"])
