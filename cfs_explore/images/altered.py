"""Another source's images, each changed in the same way: a set that differs from it in one known thing."""

from __future__ import annotations

from dataclasses import replace

from ..errors import SourceError
from .record import Record, Source, WrappedSource
from .severities import CORRUPTIONS, corruption
from .transforms import TRANSFORMS


class AlteredSource(WrappedSource):
    """The images of a source under a change, each in the group of the image that it was made from.

    Args:
        source: closed with this one.
        change: a key of ``TRANSFORMS``, or of ``CORRUPTIONS`` with a severity.
        seed: of the noise.
        severity: 1 to 5, of a key of ``CORRUPTIONS``; None for the change as such.

    Raises:
        SourceError: there is no such change, it has no severities, or it lacks one.
    """

    def __init__(self, source: Source, change: str, seed: int = 0, severity: int | None = None) -> None:
        _check(change, severity)
        strong = "" if severity is None else f", severity {severity}"
        super().__init__(source, f"{source.location}, {change}{strong}")
        self.kind, self.names = "altered", source.names
        self._change = TRANSFORMS[change] if severity is None else corruption(change, severity)
        self._seed = seed

    def _read(self, index: int) -> Record:
        record = self._source.read(index)
        pixels = self._change(record.pixels, index, self._seed)
        changed = Record.of(pixels, name=record.name, label=record.label, format=record.format, mode=record.mode)
        group = record.group or record.image_id
        return replace(changed, width=record.width, height=record.height, group=group)


def _check(change: str, severity: int | None) -> None:
    """Raise SourceError where there is no such change."""
    if change not in TRANSFORMS and change not in CORRUPTIONS:
        only = [name for name in CORRUPTIONS if name not in TRANSFORMS]
        raise SourceError(
            f"altered: there is no change {change!r}; allowed are {', '.join(TRANSFORMS)}, and with a severity "
            f"{', '.join(only)}."
        )
    if severity is None and change not in TRANSFORMS:
        raise SourceError(f"altered: {change!r} needs a severity; give one from 1 to 5.")
