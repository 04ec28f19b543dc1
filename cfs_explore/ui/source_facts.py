"""Sources of the form: how each is called, what it holds, and a key that changes when it changes."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass

import streamlit as st

from cfs_explore import images
from cfs_explore.errors import CFSError


@dataclass(frozen=True)
class Found:
    """A source that the visitor gave.

    Attributes:
        label: what the visitor calls it; never where the server keeps an upload.
        source: what ``open_source`` takes.
        key: distinguishes it from the others, for widgets.
        removable: it stands in the list of added sources; else its uploader takes it away.
        name, limit: what the visitor said of it before it came to that list.
    """

    label: str
    source: str | dict
    key: str
    removable: bool = False
    name: str = ""
    limit: int | None = None

    @classmethod
    def added(cls, label: str, source: str | dict) -> Found:
        """A source of the list of added ones; the same source has the same key."""
        return cls(label, source, digest_of(source), removable=True)


@dataclass(frozen=True)
class SourceFacts:
    """What a source holds: how many images, what of it cannot be used, how it is read; or why it cannot be opened.

    Attributes:
        paged: among its files are some of a kind that may hold several pages.
        asks: what the visitor has to choose before it can be opened; "" where nothing is asked.
    """

    count: int
    skipped: int
    error: str = ""
    notes: tuple[str, ...] = ()
    paged: bool = False
    asks: str = ""


def facts_of(source: str | dict) -> SourceFacts:
    """What a source holds. Mistakes are not kept: what was missing may have come."""
    try:
        return _opened(json.dumps(source), modified(source))
    except CFSError as error:
        return SourceFacts(0, 0, str(error))


@st.cache_data(max_entries=128, show_spinner="Looking at the images")
def _opened(source: str, modified: str) -> SourceFacts:
    with images.open_source(json.loads(source)) as opened:
        paged = any(name.lower().partition(" page ")[0].endswith((".tif", ".tiff")) for name in opened.names)
        return SourceFacts(len(opened), len(opened.skipped), notes=tuple(opened.notes()), paged=paged)


def digest_of(source: str | dict | list) -> str:
    """A short name of a source, or of other plain data: the same for the same."""
    return hashlib.blake2b(json.dumps(source, sort_keys=True).encode(), digest_size=6).hexdigest()


def modified(source: str | dict) -> str:
    """Changes when the files of a source do; '' where it names none."""
    times = []
    for path in images.paths_named(source):
        try:
            times.append(str(os.stat(os.path.expanduser(path)).st_mtime_ns))
        except (OSError, ValueError):
            times.append("")
    return " ".join(times)
