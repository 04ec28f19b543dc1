"""Cached reading of runs. Keys are digests and names; arrays never pass through Streamlit's hashing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from cfs_explore.errors import CFSError
from cfs_explore.locations import BUNDLES, runs_root
from cfs_explore.store import Run, find_runs


def explorations() -> dict[str, Path]:
    """Every finished exploration by its id (the directory's name), bundles first."""
    return {path.name: path for path in [*find_runs(BUNDLES), *find_runs(runs_root())]}


def load_run(path: Path) -> Run:
    """A finished run; read again when its manifest changes."""
    return _load_run(str(path), (path / "manifest.json").stat().st_mtime_ns)


@st.cache_resource(max_entries=16, show_spinner=False)
def _load_run(path: str, modified: int) -> Run:
    return Run(path)


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


@st.cache_resource(max_entries=24, show_spinner=False)
def images(_run: Run, digest: str, role: str, name: str | None) -> pd.DataFrame:
    """Rows of one set with thumbnails."""
    return _run.images(role, name, columns=("image_id", "name", "label", "thumbnail"))
