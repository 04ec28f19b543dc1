"""Who uses this server, and which of its files they may name."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from cfs_explore.errors import SettingsError
from cfs_explore.settings import Settings, check_inside, read_settings
from cfs_explore.ui.sidebar import escape

#: Addresses that only this computer can reach.
_OWN = ("localhost", "127.0.0.1", "::1")


def settings() -> Settings:
    """The limits of this installation; where they cannot be read, the page says why and ends: it must not open more
    than its administrator meant to."""
    try:
        return read_settings()
    except SettingsError as error:
        st.error(escape(str(error)))
        st.stop()


def is_public() -> bool:
    """Whether others than the owner use this server: as the settings say, else told by the address it serves."""
    told = settings().public
    return st.get_option("server.address") not in _OWN if told is None else told


def open_roots() -> tuple[Path, ...] | None:
    """The folders whose files a visitor may name; None: all, (): none."""
    roots = settings().roots
    if roots is not None:
        return roots
    return () if is_public() else None


def fetches() -> bool:
    """Whether visitors may name public data sets: each is fetched and kept, which fills this server's disk."""
    told = settings().fetch
    return not is_public() if told is None else told


def permitted(path: str) -> str:
    """A path that a visitor named, once it is known to be open to them.

    Raises:
        SourceError: it is not.
    """
    roots = open_roots()
    return path if roots is None else str(check_inside(path, roots))
