"""Another source's images, each changed in the same way: a set that differs from it in one known thing."""

from __future__ import annotations

from dataclasses import replace

from ..errors import SourceError
from .record import Record, Source, WrappedSource
from .transforms import TRANSFORMS


class AlteredSource(WrappedSource):
    """The images of a source under a change, each in the group of the image that it was made from.

    Args:
        source: closed with this one.
        change: a key of ``TRANSFORMS``.
        seed: of the noise.

    Raises:
        SourceError: there is no such change.
    """

    def __init__(self, source: Source, change: str, seed: int = 0) -> None:
        if change not in TRANSFORMS:
            raise SourceError(f"altered: there is no change {change!r}; allowed are {', '.join(TRANSFORMS)}.")
        super().__init__(source, f"{source.location}, {change}")
        self.kind, self.names = "altered", source.names
        self._change, self._seed = TRANSFORMS[change], seed

    def _read(self, index: int) -> Record:
        record = self._source.read(index)
        pixels = self._change(record.pixels, index, self._seed)
        changed = Record.of(pixels, name=record.name, label=record.label, format=record.format, mode=record.mode)
        group = record.group or record.image_id
        return replace(changed, width=record.width, height=record.height, group=group)
