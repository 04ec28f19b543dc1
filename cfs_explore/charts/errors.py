"""What can go wrong in this room; each message says what to do."""

from __future__ import annotations

from collections.abc import Iterable

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


def require_known(names: Iterable[str], known: Iterable[str], what: str) -> None:
    """Raise FigureDataError unless all names are known; ``what`` begins the message, as in "A policy"."""
    if unknown := set(names) - set(known):
        raise FigureDataError(f"{what} must be one of {list(known)}. Got {sorted(unknown)}.")
