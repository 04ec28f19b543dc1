"""Which numbers of an array are black and white: declared, or decided from the bulk of the values, or asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import SourceError
from ..wording import counted
from .listing import printable

_CHUNK = 256
#: How far resizing may leave a range, as a share of [0, 1] and of [-1, 1].
_OVERSHOOT = 0.051
#: Of all that values sum to, what undershoot may be, and from what on negative values are no undershoot.
_UNDERSHOOT_SHARE, _NEGATIVE_SHARE = 0.05, 0.1
#: A value that undershoot does not reach, and the share of values beyond it that makes a range of [-1, 1].
_DEEP, _DEEP_SHARE = -0.25, 0.001
#: Where values stay this close to 0 they may be of another range, such as [-0.5, 0.5].
_NARROW = 0.55
_ADVICE = (
    "Save as uint8 from 0 to 255, or as float in [0, 1] or [-1, 1], or declare the range with "
    "{'path': ..., 'range': [low, high]}."
)


@dataclass(frozen=True)
class ValueRange:
    """Values -> bytes, and what is to be said of it.

    Attributes:
        low, high: black and white; values outside are clipped.
        remark: a sentence, or ''.
    """

    low: float
    high: float
    remark: str = ""

    def to_bytes(self, values: np.ndarray) -> np.ndarray:
        """uint8, rounded."""
        clipped = values.astype(np.float64).clip(self.low, self.high)
        return np.rint((clipped - self.low) * (255.0 / (self.high - self.low))).astype(np.uint8)


@dataclass
class _Bulk:
    """What a pass over all values finds."""

    count: int = 0
    not_finite: int = 0
    low: float = np.inf
    high: float = -np.inf
    below_zero: int = 0
    deep: int = 0
    negative: float = 0.0
    total: float = 0.0

    def add(self, values: np.ndarray) -> None:
        values = values.astype(np.float64)
        negative = values[values < 0]
        self.count += values.size
        self.not_finite += values.size - int(np.isfinite(values).sum())
        self.low, self.high = np.minimum(self.low, values.min()), np.maximum(self.high, values.max())
        self.below_zero += negative.size
        self.deep += int((negative < _DEEP).sum())
        self.negative -= float(negative.sum())
        self.total += float(np.abs(values).sum())

    @property
    def negative_share(self) -> float:
        return self.negative / self.total if self.total else 0.0


def value_range(images: np.ndarray, declared: tuple[float, float] | None, location: str) -> ValueRange | None:
    """How the values (N, H, W, C) become bytes; None where they are bytes already.

    Undeclared floats are read as [0, 1] or [-1, 1], whichever fits most of them; the few that resizing leaves up to 5 %
    outside are clipped and counted.

    Raises:
        SourceError: another type, values that are not finite or outside the declared range, or values that may be read
            in two ways.
    """
    if images.dtype == np.uint8 and declared is None:
        return None
    if images.dtype.kind not in "fiu":
        raise SourceError(f"{location}: the array's type is {printable(str(images.dtype))}. {_ADVICE}")
    bulk = _Bulk()
    for chunk in _chunks(images):
        bulk.add(chunk)
    if bulk.not_finite:
        raise SourceError(
            f"{location}: {bulk.not_finite:,} of {counted(bulk.count, 'value')} are NaN or infinite. Replace them, or "
            "leave out the images that hold them, and save again."
        )
    if declared is not None:
        return _declared(bulk, declared, location)
    if not bulk.count:
        return ValueRange(0.0, 1.0)
    whole = images.dtype.kind in "iu"
    least = None if whole else _least(bulk)
    if least is None:
        several = not whole and bulk.low < 0 and bulk.high <= 1 + _OVERSHOOT
        why = " They may be read in more than one way." if several else ""
        kind = f"the array's type is {images.dtype}, and " if whole else ""
        raise SourceError(f"{location}: {kind}the values run from {bulk.low:g} to {bulk.high:g}.{why} {_ADVICE}")
    return ValueRange(least, 1.0, _remark(images, bulk, least))


def _chunks(images: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(images), _CHUNK):
        yield images[start : start + _CHUNK]


def _declared(bulk: _Bulk, declared: tuple[float, float], location: str) -> ValueRange:
    low, high = map(float, declared)
    if bulk.count and not (bulk.low >= low and bulk.high <= high):
        raise SourceError(
            f"{location}: the values run from {bulk.low:g} to {bulk.high:g}. The range declared is {low:g} to "
            f"{high:g}. {_ADVICE}"
        )
    return ValueRange(low, high)


def _least(bulk: _Bulk) -> float | None:
    """Black, 0 or -1; None where the values do not show it."""
    if not (bulk.low >= -1 - 2 * _OVERSHOOT and bulk.high <= 1 + 2 * _OVERSHOOT):
        return None
    if bulk.low >= 0 and bulk.high <= 1 + _OVERSHOOT:
        return 0.0
    undershot = bulk.low >= -_OVERSHOOT and bulk.high <= 1 + _OVERSHOOT
    if undershot and bulk.negative_share <= _UNDERSHOOT_SHARE:
        return 0.0
    if bulk.low >= -_NARROW and bulk.high <= _NARROW:
        return None
    deep = bulk.deep >= max(2, _DEEP_SHARE * bulk.count)
    return -1.0 if deep or (bulk.low < _DEEP and bulk.negative_share >= _NEGATIVE_SHARE) else None


def _remark(images: np.ndarray, bulk: _Bulk, least: float) -> str:
    """How the values were read, and how many were clipped where some were."""
    said = f"Read as numbers from {least:g} (black) to 1 (white)"
    if bulk.low >= least and bulk.high <= 1:
        return f"{said}."
    outside = [((chunk < least) | (chunk > 1)).reshape(len(chunk), -1).sum(axis=1) for chunk in _chunks(images)]
    counts = np.concatenate(outside)
    return (
        f"{said}; clipped, as resizing leaves them: {counted(int(counts.sum()), 'value')} outside, in "
        f"{counted(int((counts > 0).sum()), 'image')}, from {bulk.low:.3g} to {bulk.high:.3g}."
    )
