"""What can go wrong in this room; each message says what to do."""

from __future__ import annotations

import pandas as pd

from cfs_explore.errors import CFSError


class FigureDataError(CFSError):
    """A table does not have what a figure needs."""


class FigureExportError(CFSError):
    """A figure could not be written as an image."""


def require_columns(frame: pd.DataFrame, columns: tuple[str, ...], figure: str) -> None:
    """Raise FigureDataError unless ``frame`` has rows and every one of ``columns``."""
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise FigureDataError(
            f"The table for the {figure} lacks the columns {missing}. It needs {list(columns)}. "
            f"Got {list(frame.columns)}."
        )
    if frame.empty:
        raise FigureDataError(f"The table for the {figure} has no rows. Run or choose an exploration first.")
