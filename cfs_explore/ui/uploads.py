"""Uploads go to disk at once; a widget's file object is not kept."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from cfs_explore import images
from cfs_explore.errors import CFSError, RunError
from cfs_explore.locations import runs_root

#: Spooled uploads that no run took over are removed after this many seconds.
_KEEP_SECONDS = 24 * 3600
TYPES = ("zip", "parquet", "npz", "npy", "png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff")


@dataclass(frozen=True)
class SourceFacts:
    """What a source holds: how many images, and what of it cannot be used; or why it cannot be opened."""

    count: int
    skipped: int
    error: str = ""


def spool(upload) -> Path:
    """Copy an uploaded file to disk, once per upload, and return its path."""
    folder = runs_root() / ".uploads" / upload.file_id
    path = folder / _safe_name(upload.name)
    if not path.is_file():
        _forget_old(folder.parent)
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".partial")
        try:
            with partial.open("wb") as file:
                upload.seek(0)
                shutil.copyfileobj(upload, file, 1 << 20)
            partial.replace(path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise RunError(f"{upload.name} could not be stored ({error.strerror}). Free some disk space.") from error
    return path


def take_over(path: Path, run: Path) -> Path:
    """Move a spooled file into the run directory that uses it; other paths stay where they are."""
    spooled = runs_root() / ".uploads"
    if not path.is_relative_to(spooled):
        return path
    target = run / "uploads" / path.parent.name / path.name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(path, target)
    return target


@st.cache_data(max_entries=128, show_spinner="Looking at the images")
def look_at(source: str, modified: int) -> SourceFacts:
    """Count the images of a source; ``modified`` (of the file) only keys the cache."""
    try:
        with images.open_source(source) as opened:
            return SourceFacts(len(opened), len(opened.skipped))
    except CFSError as error:
        return SourceFacts(0, 0, str(error))


def facts_of(path: str) -> SourceFacts:
    """``look_at`` with the right key."""
    file = Path(path).expanduser()
    return look_at(str(file), file.stat().st_mtime_ns if file.exists() else 0)


def suggest_name(file_name: str, taken: Sequence[str]) -> str:
    """A set's name from its file: letters, digits and a few signs, not used yet."""
    stem = re.sub(r"[^\w .+()-]+", " ", Path(file_name).stem).strip(" .-_")[:40] or "set"
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem} {number}", number + 1
    return name


def _safe_name(name: str) -> str:
    ending = Path(name).suffix.lower()
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(name).stem).strip(".-")[:60] or "upload"
    return stem + (ending if re.fullmatch(r"\.[a-z0-9]{1,8}", ending) else "")


def _forget_old(spooled: Path) -> None:
    """Remove uploads that were never used."""
    if not spooled.is_dir():
        return
    for folder in spooled.iterdir():
        if time.time() - folder.stat().st_mtime > _KEEP_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
