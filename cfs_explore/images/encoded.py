"""Sets of encoded image files, wherever these lie: decoded one by one, page by page where that is asked for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace

from ..errors import ImageError, SourceError
from .decode import MAX_PAGES, count_pages, decode
from .record import Record, Source, WrappedSource


class EncodedSource(Source):
    """A set whose images are files' bytes.

    Attributes:
        value_range: (low, high) of the numbers in the files, which become black and white; None: what the files say.
        groups: of each image, '' where it is alone; None where they are unknown.
    """

    value_range: tuple[float, float] | None = None
    groups: list[str] | None = None

    @abstractmethod
    def encoded(self, index: int) -> tuple[bytes, str]:
        """The bytes and the label of an image.

        Raises:
            ImageError: they cannot be read.
        """

    def _read(self, index: int) -> Record:
        data, label = self.encoded(index)
        return self.grouped(decode(data, self.names[index], label, self.value_range), index)

    def grouped(self, record: Record, index: int) -> Record:
        """A record of the image at ``index``, with its group."""
        return replace(record, group=self.groups[index]) if self.groups and self.groups[index] else record


class PagedSource(WrappedSource):
    """Every page of the files of a set as an image of its own; the pages of a file are a group.

    Args:
        source: closed with this one.

    Raises:
        SourceError: more than 200,000 pages beside the first ones.
    """

    def __init__(self, source: EncodedSource) -> None:
        super().__init__(source)
        self._places: list[tuple[int, int]] = []
        for index, name in enumerate(source.names):
            pages = _pages(source, index)
            self._places += [(index, page) for page in range(pages)]
            self.names += [name if pages == 1 else f"{name} page {page + 1}" for page in range(pages)]
            if len(self.names) - index > _MOST:
                source.close()
                raise SourceError(f"{source.location} holds more than {_MOST:,} further pages. Split it.")

    def notes(self) -> list[str]:
        return [*super().notes(), *Source.notes(self)]

    def labels(self) -> list[str]:
        labels = self._source.labels()
        return [labels[place] for place, _ in self._places]

    def _read(self, index: int) -> Record:
        place, page = self._places[index]
        data, label = self._source.encoded(place)
        record = self._source.grouped(decode(data, self.names[index], label, self._source.value_range, page), place)
        several = sum(other == place for other, _ in self._places[max(index - 1, 0) : index + 2]) > 1
        return replace(record, group=self._source.names[place]) if several and not record.group else record


_MOST = 200_000


def _pages(source: EncodedSource, index: int) -> int:
    """Pages of a file; 1 where it cannot be read, so that reading it says why."""
    try:
        data, _ = source.encoded(index)
        return min(count_pages(data, source.names[index]), MAX_PAGES)
    except ImageError:
        return 1


def with_options(opens: Callable[..., EncodedSource]) -> Callable[..., Source]:
    """Opens a set of files with the options that all of them take: ``range`` and ``pages``."""

    def opened(*arguments, pages: str | None = None, **options) -> Source:
        declared = options.pop("range", None)
        source = opens(*arguments, **options)
        if not isinstance(source, EncodedSource):
            return source
        source.value_range = None if declared is None else (float(declared[0]), float(declared[1]))
        return PagedSource(source) if pages == "all" else source

    return opened
