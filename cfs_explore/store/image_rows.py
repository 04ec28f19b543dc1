"""Rows of images as a run keeps them, in its work folders and in images.parquet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from cfs_explore.colour import stored_colours
from cfs_explore.store.files import read_table
from cfs_explore.store.long_tables import read_long_table

#: Column that older runs lack -> what it is made of.
_MADE_OF = {"group": (), "content_id": ("image_id",), "colour": ("mode", "thumbnail")}


def read_image_rows(path: Path, columns: Sequence[str] | None = None, part: slice = slice(None)) -> pd.DataFrame:
    """One row per image.

    Args:
        path: of a Parquet file.
        columns: to read; None: all. What older runs lack is made up for: "colour" (``colour.stored_colours``), and
            where it is asked for, "group", in which every image is alone, and "content_id", which is "image_id" there.
        part: of the rows.
    """
    columns, needed = _columns(path, columns)
    return _completed(read_table(path, needed).iloc[part].reset_index(drop=True), columns)


def image_columns(path: Path) -> list[str]:
    """The columns that ``read_image_rows`` gives of a file."""
    return _columns(path, None)[0]


def read_image_parts(path: Path, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
    """All rows, as ``read_image_rows`` gives them, some at a time."""
    columns, needed = _columns(path, columns)
    for part in read_long_table(path, needed):
        yield _completed(part, columns)


def _columns(path: Path, columns: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """The columns that are wanted, and those of the file that they are made of."""
    present = pq.read_schema(path).names
    if columns is None:
        columns = list(dict.fromkeys([*present, *(["colour"] if "mode" in present else [])]))
    needed = [source for name in columns for source in ([name] if name in present else _MADE_OF.get(name, [name]))]
    return list(columns), list(dict.fromkeys(needed))


def _completed(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """The rows with columns that their file lacks."""
    for name in columns:
        if name in _MADE_OF and name not in rows:
            rows[name] = _made_up(name, rows)
    return rows[columns]


def _made_up(name: str, rows: pd.DataFrame) -> pd.Series | list[str]:
    if name == "colour":
        return stored_colours(rows)
    return rows["image_id"] if name == "content_id" else pd.Series(None, index=rows.index, dtype="str")
