"""Cached reading of runs. Keys are digests and names; arrays never pass through Streamlit's hashing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from cfs_explore.bundles import names_places
from cfs_explore.errors import CFSError, RunError
from cfs_explore.locations import BUNDLES
from cfs_explore.pictures import find_pictures
from cfs_explore.store import Run, find_runs
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


@st.cache_resource(max_entries=16, show_spinner=False)
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


@st.cache_resource(max_entries=64, show_spinner=False)
def map_frame(_run: Run, digest: str, ood: str) -> pd.DataFrame:
    """The map of one OOD set."""
    return _run.auroc_map(ood)


@st.cache_resource(max_entries=64, show_spinner=False)
def table(_run: Run, digest: str, name: str) -> pd.DataFrame:
    """A diagnostic table."""
    return _run.table(name)


@st.cache_resource(max_entries=12, show_spinner="Reading scores")
def scores(_run: Run, digest: str, role: str, name: str | None) -> np.ndarray:
    """Slot scores (image, draw, level, tap) of one set."""
    return _run.scores(role, name)


@st.cache_resource(max_entries=24, ttl=600, show_spinner="Looking for the images")
def images(_run: Run, digest: str, role: str, name: str | None) -> pd.DataFrame:
    """Rows of one set with thumbnails; empty ones where neither the run nor this computer has the images, which are
    looked for again after some minutes."""
    rows = _run.images(role, name, columns=("image_id", "name", "label", "thumbnail"))
    entry = _run.entry(role, name)
    if not entry.thumbnails:
        found = (find_pictures(_run, entry) if names_places(_run.path) else None) or {}
        rows["thumbnail"] = [found.get(image_id, b"") for image_id in rows["image_id"]]
    return rows
