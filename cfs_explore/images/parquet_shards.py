"""Images in several parquet files of one set, here or on object storage: one after the other."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import FetchError, SourceError
from .encoded import EncodedSource
from .listed import MAX_LISTED
from .listing import printable
from .shard_files import find_files, open_file, stems
from .tables import ParquetSource, open_image_rows

#: Shards that are open at a time: a system allows about a thousand files.
MAX_OPEN = 64


class ParquetShardsSource(EncodedSource):
    """The rows of parquet files with image bytes, by file name and row; labels and groups as in one file.

    Args:
        pattern: as of ``shard_files.find_files``.
        column, label_column, group_column: as of ``tables.open_parquet``.

    Raises:
        SourceError: as of ``tables.open_parquet``, naming the file. FetchError: remote, for visitors.
    """

    kind = "parquet"

    def __init__(
        self,
        pattern: str,
        column: str | None = None,
        label_column: str | None = None,
        group_column: str | None = None,
    ) -> None:
        super().__init__(str(pattern))
        self._columns = column, label_column, group_column
        self._starts, self.groups = [0], []
        self._files = find_files(str(pattern), ".parquet", "parquet")
        self._shards: dict[int, ParquetSource] = {}
        self._open: OrderedDict[int, BinaryIO] = OrderedDict()
        try:
            for number, called in enumerate(stems(self._files)):
                self._add(self._opened(number), called)
        except (SourceError, FetchError):
            self.close()
            raise

    def _add(self, shard: ParquetSource, called: str) -> None:
        self.names += [f"{called}/{row}" for row in shard.names]
        self.groups += shard.groups or [""] * len(shard)
        self._starts.append(len(self.names))
        if len(self.names) > MAX_LISTED:
            raise SourceError(f"{self.location} holds more than {MAX_LISTED:,} rows. Split it.")

    def _opened(self, number: int) -> ParquetSource:
        """A shard, its file open; the file that was used longest ago is closed, and what is known of it stays."""
        if number not in self._open:
            self._open[number] = self._open_shard(number)
            if len(self._open) > MAX_OPEN:
                oldest, stream = self._open.popitem(last=False)
                self._shards[oldest].rest()
                stream.close()
        self._open.move_to_end(number)
        return self._shards[number]

    def _open_shard(self, number: int) -> BinaryIO:
        """Open a shard's file; its names and groups are read when that is done first."""
        name, stream = self._files[number], None
        try:
            stream = open_file(name)
            file = pq.ParquetFile(stream)
            if number in self._shards:
                self._shards[number].resume(file)
            else:
                self._shards[number] = open_image_rows(name, file, *self._columns)
            return stream
        except (pa.ArrowException, OSError, ValueError) as error:
            _close(stream)
            raise SourceError(f"{printable(name)} is not a readable parquet file ({printable(str(error))}).") from error
        except (SourceError, FetchError):
            _close(stream)
            raise

    def labels(self) -> list[str]:
        return [label for number in range(len(self._files)) for label in self._opened(number).labels()]

    def encoded(self, index: int) -> tuple[bytes, str]:
        number = bisect_right(self._starts, index) - 1
        return self._opened(number).encoded(index - self._starts[number])

    def close(self) -> None:
        while self._open:
            number, stream = self._open.popitem()
            self._shards[number].close()
            stream.close()


def _close(stream: BinaryIO | None) -> None:
    if stream is not None:
        stream.close()
