"""A look at an image set before any network has: what is in it, how it was stored, what occurs twice.

with open_source("textures.zip") as source:
    found = survey(source, sample=2000)
found.sizes(), found.storage(), found.labels(), found.statistics(), found.duplicates()
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image

from ..colour import colour_of
from ..errors import ImageError, RunCancelled, SourceError
from .parts import sampled
from .preprocess import shrunk
from .record import Record, Source
from .statistics import LUMA

#: Statistic of one image -> what it measures. All are taken on the picture shrunk to 64 pixels, so that sets of
#: different native sizes can be compared, and so that the thumbnails of a run can be measured alike.
STATISTICS: dict[str, str] = {
    "red": "Mean of the red channel, 0..255; grey images have three equal channels.",
    "green": "Mean of the green channel, 0..255.",
    "blue": "Mean of the blue channel, 0..255.",
    "brightness": "Mean of the luma Y of Rec. 601, 0..255.",
    "contrast": "Standard deviation of Y: RMS contrast.",
}
FACTS = ("image_id", "content_id", "name", "label", "format", "mode", "colour", "width", "height")


@dataclass(frozen=True, eq=False)
class Survey:
    """What was seen of an image set.

    Attributes:
        location: where it is, for messages.
        total: images that it lists; more than were looked at where a sample was asked for.
        images: one row per image that could be read: ``FACTS`` (native), and ``STATISTICS``, NaN where not measured.
        unusable: name and reason of the members that are no images and of the images that could not be read.
        notes: how the set was read where that had to be decided, a sentence each.
        unreadable: names of the images that were looked at and could not be read; ``unusable`` has the reasons.
    """

    location: str
    total: int
    images: pd.DataFrame
    unusable: pd.DataFrame
    notes: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    @property
    def is_sample(self) -> bool:
        """Whether there are more images than were looked at."""
        return len(self) + len(self.unreadable) < self.total

    def labels(self) -> pd.DataFrame:
        """label, count; the most frequent first. Empty where no image has a label."""
        counts = _counted(self.images, ["label"])
        return counts if (counts["label"] != "").any() else counts.iloc[:0]

    def sizes(self) -> pd.DataFrame:
        """width, height, count of the native sizes; the most frequent first."""
        return _counted(self.images, ["width", "height"])

    def storage(self) -> pd.DataFrame:
        """format (codec), mode (Pillow's, native), count; the most frequent first."""
        return _counted(self.images, ["format", "mode"])

    def colours(self) -> pd.DataFrame:
        """colour ("grey" or "colour", by the pixels: see ``colour``), count; the most frequent first."""
        return _counted(self.images, ["colour"])

    def statistics(self) -> pd.DataFrame:
        """statistic, mean, std (of the images, ddof 0), count; a row for each of ``STATISTICS``."""
        measured = self.images[list(STATISTICS)].dropna()
        rows = [(name, measured[name].mean(), measured[name].std(ddof=0), len(measured)) for name in STATISTICS]
        return pd.DataFrame(rows, columns=["statistic", "mean", "std", "count"])

    def duplicates(self) -> list[tuple[str, ...]]:
        """Names of images with the very same pixels, a tuple per group, in the set's order."""
        twice = self.images[self.images.duplicated("content_id", keep=False)]
        return [tuple(group["name"]) for _, group in twice.groupby("content_id", sort=False)]


def survey(
    source: Source,
    *,
    sample: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    seen: Callable[[int, Record], None] | None = None,
) -> Survey:
    """Read every image once, one in memory at a time, and note what it is.

    Args:
        source: open; it stays open.
        sample: look at that many images only, drawn as ``open_source(..., limit=sample, seed=seed)`` draws them.
        seed: of that draw.
        progress: called with (done, total) after each image, good or not.
        cancelled: asked before each image.
        seen: called with the position (in the sample) and the record of each image that could be read, for what else
            is wanted of it.

    Raises:
        RunCancelled: ``cancelled`` said so. SourceError: there is no such sample.
    """
    if seed < 0 or (sample is not None and sample < 1):
        raise SourceError(f"sample = {sample}, seed = {seed}: allowed are a sample from 1 on and a seed from 0 on.")
    looked_at = source if sample is None or sample >= len(source) else sampled(source, sample, seed)
    rows: list[tuple] = []
    unreadable: list[tuple[str, str]] = []
    for index, name in enumerate(looked_at.names):
        if cancelled is not None and cancelled():
            raise RunCancelled(f"stopped after {index} of {len(looked_at)} images of {source.location}.")
        try:
            record = looked_at.read(index)
        except ImageError as error:
            unreadable.append((name, str(error).removeprefix(f"{name}: ")))
        else:
            small = shrunk(record.pixels)
            rows.append((*_facts(record, small), *_statistics(small)))
            if seen is not None:
                seen(index, record)
        if progress is not None:
            progress(index + 1, len(looked_at))
    unusable = _unusable_frame([*source.skipped, *unreadable])
    names = tuple(name for name, _ in unreadable)
    return Survey(source.location, len(source), _frame(rows), unusable, tuple(looked_at.notes()), names)


def survey_rows(
    rows: pd.DataFrame, location: str, *, unusable: pd.DataFrame | None = None, sample: int = 2000
) -> Survey:
    """The same of images that a run has prepared.

    Args:
        rows: ``FACTS`` and thumbnail (PNG bytes), as ``prepare`` and a run's images.parquet have them; the pixels of
            those without thumbnail are not measured.
        location: how the set is called.
        unusable: name and reason of what could not be prepared.
        sample: images whose pixels are measured, drawn by a fixed seed; the facts of the others are known without.
    """
    chosen = np.flatnonzero(rows["thumbnail"].map(len) > 0)
    if sample < len(chosen):
        chosen = np.sort(np.random.Generator(np.random.PCG64(0)).choice(chosen, sample, replace=False))
    values = np.full((len(rows), len(STATISTICS)), np.nan)
    for position in chosen:
        values[position] = _statistics(_pixels(rows["thumbnail"].iloc[position]))
    facts = rows[list(FACTS)].reset_index(drop=True)
    images = pd.concat([facts, pd.DataFrame(values, columns=list(STATISTICS))], axis=1)
    return Survey(location, len(rows), images, _unusable_frame([]) if unusable is None else unusable)


def _facts(record: Record, small: np.ndarray) -> tuple:
    return tuple(colour_of(small) if name == "colour" else getattr(record, name) for name in FACTS)


def _pixels(png: bytes) -> np.ndarray:
    """uint8 (h, w) or (h, w, 3) of a thumbnail."""
    with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
        return np.asarray(image)


def _statistics(pixels: np.ndarray) -> np.ndarray:
    """``STATISTICS`` of one uint8 (h, w) or (h, w, 3)."""
    values = pixels.astype(np.float64)
    channels = values.mean(axis=(0, 1)) * np.ones(3)
    luma = values if values.ndim == 2 else values @ LUMA
    return np.array([*channels, luma.mean(), luma.std()])


def _frame(rows: list[tuple]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=[*FACTS, *STATISTICS])
    return frame if rows else frame.astype(dict.fromkeys(STATISTICS, np.float64))


def _unusable_frame(unusable: list[tuple[str, str]]) -> pd.DataFrame:
    return pd.DataFrame(unusable, columns=["name", "reason"], dtype=str)


def _counted(images: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Distinct values of some columns with their counts, most frequent first, ties in the order of their values."""
    counts = images.groupby(by, sort=True).size().reset_index(name="count")
    return counts.sort_values("count", ascending=False, kind="stable").reset_index(drop=True)
