"""Runs as pages read them: what was read once is kept. Keys are digests and names; no array is hashed."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable, Hashable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from cfs_explore.errors import CFSError, RunError
from cfs_explore.explorations.absent import Absent, absent_sets
from cfs_explore.explorations.bundles import names_places
from cfs_explore.explorations.pictures import find_pictures
from cfs_explore.locations import BUNDLES
from cfs_explore.scoring import Moments
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


def readable() -> Iterator[PageRun]:
    """The finished explorations that can be read."""
    for path in explorations().values():
        with contextlib.suppress(CFSError):
            yield load_run(path)


def load_run(path: Path) -> PageRun:
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
    return (_load_growing if is_growing(path) else _load_finished)(str(path), modified)


def kept(max_entries: int, show_spinner: bool | str = False, ttl: float | None = None) -> Callable:
    """``st.cache_resource`` of what a function of a run, its first argument, gives.

    A run is known by its digest; the other arguments are texts, numbers, runs and tuples of them. Maps so far, which
    come and go, have a small cache of their own, so that they push nobody's data out.
    """

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)  # another name is another cache
        def of_growing(*arguments):
            return function(*arguments)

        of_growing.__qualname__ += "_growing"
        lasting, passing = (
            st.cache_resource(each, max_entries=entries, ttl=ttl, show_spinner=show_spinner, hash_funcs=_BY_DIGEST)
            for each, entries in ((function, max_entries), (of_growing, _GROWING))
        )

        @functools.wraps(function)
        def read(run: Run, *arguments):
            return (passing if is_growing(run.path) else lasting)(run, *arguments)

        read.clear = lasting.clear
        return read

    return decorate


#: Results of maps so far that are kept, of each kind.
_GROWING = 8


def _digest(run: Run) -> str:
    return run.digest


class PageRun(Run):
    """A run as pages read it: tables, scores and statistics are kept, for all visitors; arrays cannot be written to."""

    def table(self, name: str) -> pd.DataFrame:
        return _table(self, name).copy(deep=False)

    def auroc_map(self, ood: str) -> pd.DataFrame:
        return _map(self, ood).copy(deep=False)

    def scores(self, role: str, name: str | None = None, *, level: int | None = None) -> np.ndarray:
        whole = _scores(self, role, name)
        return whole if level is None else whole[:, :, level : level + 1]

    def moments(self, role: str, name: str | None = None) -> Moments:
        return _moments(self, role, name)

    def derived(self, make: Callable[..., Any], *arguments: Hashable) -> Any:
        return _derived(self, f"{make.__module__}.{make.__qualname__}", arguments, make)


#: How ``kept`` tells runs apart.
_BY_DIGEST = {Run: _digest, PageRun: _digest}


@kept(max_entries=64)
def _table(run: PageRun, name: str) -> pd.DataFrame:
    return Run.table(run, name)


@kept(max_entries=64)
def _map(run: PageRun, ood: str) -> pd.DataFrame:
    return Run.auroc_map(run, ood)


@kept(max_entries=12, show_spinner="Reading scores")
def _scores(run: PageRun, role: str, name: str | None) -> np.ndarray:
    return _shared(Run.scores(run, role, name))


@kept(max_entries=32)
def _moments(run: PageRun, role: str, name: str | None) -> Moments:
    moments = Run.moments(run, role, name)
    for values in (moments.mean, moments.m2, moments.m2_within):
        _shared(values)
    return moments


@kept(max_entries=512)
def _derived(run: PageRun, name: str, arguments: tuple[Hashable, ...], _make: Callable[..., Any]) -> Any:
    return _make(run, *arguments)


def _shared(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    values.setflags(write=False)
    return values


def _load(path: str, modified: int) -> PageRun:
    run = PageRun(path)
    run.digest = hashlib.blake2b(f"{Path(path).resolve()}|{modified}|{run.digest}".encode(), digest_size=8).hexdigest()
    return run


@st.cache_resource(max_entries=16, show_spinner=False)
def _load_finished(path: str, modified: int) -> PageRun:
    return _load(path, modified)


@st.cache_resource(max_entries=_GROWING, show_spinner=False)
def _load_growing(path: str, modified: int) -> PageRun:
    return _load(path, modified)


def titles(runs: Mapping[str, Path]) -> dict[str, str]:
    """What a selector shows for each exploration, by its id; of those of one name, all but the first carry their id."""
    found: dict[str, str] = {}
    for key, path in runs.items():
        name = _title(path)
        found[key] = f"{name} · {key}" if name in found.values() else name
    return found


def _title(path: Path) -> str:
    try:
        return load_run(path).name
    except CFSError:
        return f"{path.name} (unreadable)"


@kept(max_entries=64)
def alike(run: Run, ood: str) -> int:
    """How many images an OOD set has where all are the same, pixel by pixel; 0 where they are not."""
    ids = run.images("ood", ood, columns=("image_id",))["image_id"]
    return len(ids) if len(ids) > 1 and ids.nunique() == 1 else 0


@kept(max_entries=24, ttl=600, show_spinner="Looking for the images")
def images(run: Run, role: str, name: str | None) -> pd.DataFrame:
    """Rows of one set with thumbnails; empty ones where neither the run nor this computer has the images, which are
    looked for again after some minutes."""
    rows = run.images(role, name, columns=("image_id", "name", "label", "thumbnail"))
    entry = run.entry(role, name)
    if not entry.thumbnails:
        found = (find_pictures(run, entry) if names_places(run.path) else None) or {}
        rows["thumbnail"] = [found.get(image_id, b"") for image_id in rows["image_id"]]
    return rows


@kept(max_entries=64, ttl=20, show_spinner="Looking for the images")
def absent(run: Run) -> list[Absent]:
    """The sets whose images are not on this computer; those of a run that names no places are not looked for."""
    if names_places(run.path):
        return absent_sets(run)
    return [Absent(each.role, each.name, each.thumbnails, "", False) for each in run.manifest.sets]
