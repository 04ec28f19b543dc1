"""Who uses this server, and which of its files they may name."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from cfs_explore.errors import SettingsError
from cfs_explore.safe_io import fetching
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
    """Whether others than the owner use this server: as the settings say, else by the address that it serves."""
    public = settings().public
    return st.get_option("server.address") not in _OWN if public is None else public


def open_roots() -> tuple[Path, ...] | None:
    """The folders whose files a visitor may name; None: all, (): none."""
    roots = settings().roots
    if roots is not None:
        return roots
    return () if is_public() else None


def fetched() -> tuple[str, ...] | None:
    """What visitors may have fetched, as the settings name it; None: anything, (): nothing."""
    limits, public = settings(), is_public()
    if limits.fetch is False or (limits.fetch is None and public):
        return ()
    if limits.fetch_from is None and not public and limits.roots is not None:
        return fetching.EVERYTHING
    return () if limits.fetch_from is None and public else limits.fetch_from


def fetches() -> bool:
    """Whether visitors may name models and data sets: each is fetched and kept, which fills this server's disk."""
    return fetched() != ()


def announce() -> None:
    """Tell this process, and those that it starts, what they may fetch for visitors."""
    fetching.act_for_visitors(fetched())


def permitted(path: str) -> str:
    """A path that a visitor named, once it is known to be open to them.

    Raises:
        SourceError: it is not; the message is the same whether or not something is there.
    """
    roots = open_roots()
    return path if roots is None else str(check_inside(path, roots))


def permitted_model(named: str) -> str:
    """A path, hub id or address of a model that a visitor named, once it is known to be open to them.

    What reads like a hub id or an address is none of a path, unless all paths are open.

    Raises:
        CFSError: it is not; the message is the same whether or not something is there.
    """
    if fetching.reads_as_address(named):
        fetching.check_address(named)
    elif fetching.reads_as_hub_id(named):
        fetching.check_name(named)
    else:
        return permitted(named)
    return named
