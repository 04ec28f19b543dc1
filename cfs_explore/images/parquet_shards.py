"""Images in several parquet files of one set, here or on object storage: one after the other."""

from __future__ import annotations

from bisect import bisect_right

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import FetchError, SourceError
from .encoded import EncodedSource
from .listed import MAX_LISTED
from .listing import printable
from .shard_files import find_files, open_file, stems
from .tables import open_image_rows


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
        self._shards, self._starts, self._files = [], [0], []
        files = find_files(str(pattern), ".parquet", "parquet")
        try:
            for name, called in zip(files, stems(files), strict=True):
                self._add(name, called, column, label_column, group_column)
        except (SourceError, FetchError):
            self.close()
            raise
        found = [shard.groups or [""] * len(shard) for shard in self._shards]
        self.groups = [group for shard in found for group in shard]

    def _add(self, name: str, called: str, *columns: str | None) -> None:
        try:
            self._files.append(open_file(name))
            file = pq.ParquetFile(self._files[-1])
        except (pa.ArrowException, OSError, ValueError) as error:
            raise SourceError(f"{printable(name)} is not a readable parquet file ({printable(str(error))}).") from error
        shard = open_image_rows(name, file, *columns)
        self._shards.append(shard)
        self.names += [f"{called}/{row}" for row in shard.names]
        self._starts.append(len(self.names))
        if len(self.names) > MAX_LISTED:
            raise SourceError(f"{self.location} holds more than {MAX_LISTED:,} rows. Split it.")

    def labels(self) -> list[str]:
        return [label for shard in self._shards for label in shard.labels()]

    def encoded(self, index: int) -> tuple[bytes, str]:
        shard = bisect_right(self._starts, index) - 1
        return self._shards[shard].encoded(index - self._starts[shard])

    def close(self) -> None:
        for each in [*self._shards, *self._files]:
            each.close()
