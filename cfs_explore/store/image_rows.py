"""Rows of images as a run keeps them, in its work folders and in images.parquet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from cfs_explore.colour import stored_colours
from cfs_explore.store.files import read_table

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
    present = pq.read_schema(path).names
    if columns is None:
        columns = list(dict.fromkeys([*present, *(["colour"] if "mode" in present else [])]))
    lacking = [name for name in columns if name in _MADE_OF and name not in present]
    needed = [
        *(name for name in columns if name not in lacking),
        *(source for name in lacking for source in _MADE_OF[name]),
    ]
    rows = read_table(path, list(dict.fromkeys(needed))).iloc[part].reset_index(drop=True)
    for name in lacking:
        rows[name] = _made_up(name, rows)
    return rows[list(columns)]


def _made_up(name: str, rows: pd.DataFrame) -> pd.Series | list[str]:
    if name == "colour":
        return stored_colours(rows)
    return rows["image_id"] if name == "content_id" else pd.Series(None, index=rows.index, dtype="str")
