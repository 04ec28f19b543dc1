"""Tables that are written and read a part at a time, so that memory does not grow with their rows."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cfs_explore.store.files import write_aside

#: Rows of a part.
PART = 4096


@contextlib.contextmanager
def write_long_table(path: Path, *, flush: bool = True) -> Iterator[Callable[[pd.DataFrame], None]]:
    """Write Parquet atomically, as ``files.write_table`` does, of parts that are given one after the other.

    Args:
        path: where to.
        flush: as for ``files.write_aside``.

    Yields:
        To be called with each part, at least one; all have the columns and types of the first.
    """
    with write_aside(path, flush=flush) as partial, contextlib.ExitStack() as stack:
        writer: pq.ParquetWriter | None = None

        def add(part: pd.DataFrame) -> None:
            nonlocal writer
            table = pa.Table.from_pandas(part, None if writer is None else writer.schema, preserve_index=False)
            if writer is None:
                options = {"compression": "zstd", "write_page_checksum": True}
                writer = stack.enter_context(pq.ParquetWriter(partial, table.schema, **options))
            writer.write_table(table)

        yield add


def read_long_table(path: Path, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
    """The rows of a Parquet file in parts, each with an index of its own; ``files.BAD_TABLE`` where it is damaged."""
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        for batch in file.iter_batches(batch_size=PART, columns=columns):
            yield pa.Table.from_batches([batch]).to_pandas()
