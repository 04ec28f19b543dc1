"""The images of a run exactly as its backbone took them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cfs_explore.corruption import to_signed
from cfs_explore.errors import CFSError, SourceError
from cfs_explore.explorations import pictures
from cfs_explore.images import to_input
from cfs_explore.images.decode import decode
from cfs_explore.images.record import Record
from cfs_explore.locations import absolute
from cfs_explore.store import Run
from cfs_explore.store.manifest import SetEntry

#: The sheet of pictures that training leaves beside the weights (``train.samples``).
SAMPLES = "samples.png"


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
            return _fitted(run, record, row, entry)
    record = pictures.find_record(run, entry, row["image_id"], row["name"]) if search else None
    if record is None:
        raise SourceError(
            f"{row['name']} of {entry.name} is not here in its full size: the run keeps a small copy at most, and the "
            "source of the set cannot be opened on this computer. Put it back, or upload an image."
        )
    return _fitted(run, record, row, entry)


def given_image(run: Run, data: bytes, name: str) -> ProbeImage:
    """An image file, fitted to the run's backbone as the run fitted its own.

    Raises:
        ImageError: it cannot be decoded.
    """
    record = decode(data, name)
    return _fitted(run, record, {"name": record.name, "label": ""})


def drawn_samples(run: Run) -> list[ProbeImage]:
    """Pictures that the run's backbone drew when its training was over, from the sheet beside its weights.

    They stand for the ID images where those are not here. None without a sheet, or where its size is not of this kind.
    """
    place = Path(absolute(run.manifest.spec["backbone"]["path"], run.path))
    channels, height, width = run.manifest.backbone.image_shape
    try:
        sheet = decode(((place if place.is_dir() else place.parent) / SAMPLES).read_bytes(), SAMPLES).pixels
    except (CFSError, OSError):
        return []
    rows, columns = sheet.shape[0] // height, sheet.shape[1] // width
    if sheet.shape != (rows * height, columns * width, channels):
        return []
    tiles = sheet.reshape(rows, height, columns, width, channels).swapaxes(1, 2).reshape(-1, height, width, channels)
    kind = {"label": "", "format": "drawn", "mode": "RGB" if channels == 3 else "L"}
    records = [Record.of(tile, name=f"sample {number}", **kind) for number, tile in enumerate(tiles, start=1)]
    return [_fitted(run, record, {"name": record.name, "label": ""}) for record in records]


def _fitted(run: Run, record: Record, row: Mapping, entry: SetEntry | None = None) -> ProbeImage:
    """As the run fitted the images of a set; without one, its usual way."""
    pixels = to_input(record.pixels, run.manifest.backbone.image_shape, **pictures.fitting_of(run, entry))
    return ProbeImage(record.image_id, pixels, row["name"], row["label"])
