"""Cached reading of runs. Keys are digests and names; arrays never pass through Streamlit's hashing."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from cfs_explore.absent import Absent, absent_sets
from cfs_explore.bundles import names_places
from cfs_explore.errors import CFSError, RunError
from cfs_explore.locations import BUNDLES
from cfs_explore.pictures import find_pictures
from cfs_explore.store import Run, find_runs
from cfs_explore.store.growing import is_growing
from cfs_explore.ui import ownership


def explorations() -> dict[str, Path]:
    """Every finished exploration that this visitor may see, by its id (the directory's name), bundles first."""
    mine = [path for path in ownership.runs() if (path / "manifest.json").is_file()]
    return {path.name: path for path in [*bundles(), *mine]}


def bundles() -> list[Path]:
    """The explorations that come with the project; pages open with the first, which has pictures and is quick."""
    return sorted(find_runs(BUNDLES), key=lambda path: path.name != "digits")


def load_run(path: Path) -> Run:
    """A finished run; read again when its manifest changes.

    Its digest is that of this very directory: an import says of itself what its maker likes, and must not take the
    place of another run in the caches.

    Raises:
        RunError: it cannot be read, or is no longer there.
    """
    try:
        modified = (path / "manifest.json").stat().st_mtime_ns
    except OSError as error:
        raise RunError(f"{path.name} is not there any more.") from error
    return _load_run(str(path), modified)


def _kept(max_entries: int, show_spinner: bool | str = False, ttl: float | None = None) -> Callable:
    """``st.cache_resource`` of what is read of a run, its first argument; maps so far, which come and go, have a small
    one of their own, so that they push nobody's data out."""

    def decorate(function: Callable) -> Callable:
        lasting = st.cache_resource(function, max_entries=max_entries, ttl=ttl, show_spinner=show_spinner)

        @functools.wraps(function)  # another name is another cache
        def of_growing(*arguments):
            return function(*arguments)

        of_growing.__qualname__ += "_growing"
        passing = st.cache_resource(of_growing, max_entries=_GROWING, ttl=ttl, show_spinner=show_spinner)

        @functools.wraps(function)
        def read(run: Run | str, *arguments):
            growing = is_growing(run.path if isinstance(run, Run) else Path(run))
            return (passing if growing else lasting)(run, *arguments)

        read.clear = lasting.clear
        return read

    return decorate


#: Results of maps so far that are kept, of each kind.
_GROWING = 8


@_kept(max_entries=16)
def _load_run(path: str, modified: int) -> Run:
    run = Run(path)
    run.digest = hashlib.blake2b(f"{Path(path).resolve()}|{modified}|{run.digest}".encode(), digest_size=8).hexdigest()
    return run


def title(path: Path) -> str:
    """What a selector shows for a run."""
    try:
        return load_run(path).name
    except CFSError:
        return f"{path.name} (unreadable)"


@_kept(max_entries=64)
def map_frame(_run: Run, digest: str, ood: str) -> pd.DataFrame:
    """The map of one OOD set."""
    return _run.auroc_map(ood)


@_kept(max_entries=64)
def table(_run: Run, digest: str, name: str) -> pd.DataFrame:
    """A diagnostic table."""
    return _run.table(name)


@_kept(max_entries=64)
def alike(_run: Run, digest: str, ood: str) -> int:
    """How many images an OOD set has where all are the same, pixel by pixel; 0 where they are not."""
    ids = _run.images("ood", ood, columns=("image_id",))["image_id"]
    return len(ids) if len(ids) > 1 and ids.nunique() == 1 else 0


@_kept(max_entries=12, show_spinner="Reading scores")
def scores(_run: Run, digest: str, role: str, name: str | None) -> np.ndarray:
    """Slot scores (image, draw, level, tap) of one set."""
    return _run.scores(role, name)


@_kept(max_entries=24, ttl=600, show_spinner="Looking for the images")
def images(_run: Run, digest: str, role: str, name: str | None) -> pd.DataFrame:
    """Rows of one set with thumbnails; empty ones where neither the run nor this computer has the images, which are
    looked for again after some minutes."""
    rows = _run.images(role, name, columns=("image_id", "name", "label", "thumbnail"))
    entry = _run.entry(role, name)
    if not entry.thumbnails:
        found = (find_pictures(_run, entry) if names_places(_run.path) else None) or {}
        rows["thumbnail"] = [found.get(image_id, b"") for image_id in rows["image_id"]]
    return rows


@_kept(max_entries=64, ttl=20, show_spinner="Looking for the images")
def absent(_run: Run, digest: str) -> list[Absent]:
    """The sets whose images are not on this computer; those of a run that names no places are not looked for."""
    if names_places(_run.path):
        return absent_sets(_run)
    return [Absent(each.role, each.name, each.thumbnails, "", False) for each in _run.manifest.sets]
