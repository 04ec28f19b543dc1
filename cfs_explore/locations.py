"""Where bundles and runs live, and how a path inside a run directory is written so that the directory can move."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from cfs_explore.errors import RunError

PROJECT = Path(__file__).resolve().parents[1]

#: Explorations that come with the project.
BUNDLES = PROJECT / "precomputed"


def runs_root() -> Path:
    """Where new runs go: ``$CFS_EXPLORE_RUNS``, else ``runs/`` beside the package."""
    return Path(os.environ.get("CFS_EXPLORE_RUNS") or PROJECT / "runs")


def program() -> str:
    """How the command line is called: its name, or its place in the project where it is not on the search path."""
    name = "cfs-explore"
    beside = Path(sys.executable).parent / name
    ours = beside.is_file() and beside.is_relative_to(PROJECT)
    return name if shutil.which(name) or not ours else str(beside.relative_to(PROJECT))


def disk_used(folder: Path) -> int:
    """Bytes of all files below a folder; links are not followed, and what vanishes meanwhile counts nothing."""
    total = 0
    for directory, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(directory, name)).st_size
            except OSError:
                continue
    return total


def locate_run(name_or_path: str | Path) -> Path:
    """A run directory by path, by bundle name, or by the id of a run below ``runs_root()``.

    Raises:
        RunError: listing the bundles.
    """
    for candidate in (Path(name_or_path), BUNDLES / name_or_path, runs_root() / name_or_path):
        if (candidate / "manifest.json").is_file():
            return candidate
    bundles = ", ".join(sorted(p.parent.name for p in BUNDLES.glob("*/manifest.json"))) or "none"
    raise RunError(f"There is no finished run {str(name_or_path)!r}. Give its folder, or a bundle: {bundles}.")


def portable(path: str, home: Path) -> str:
    """``path`` relative to ``home`` when it lies inside it, else unchanged."""
    full, home = Path(path), home.resolve()
    if full.exists() and full.resolve().is_relative_to(home):
        return str(full.resolve().relative_to(home))
    return path


def absolute(path: str, home: Path) -> str:
    """The inverse of ``portable``."""
    return str(home.resolve() / path) if not Path(path).is_absolute() and (home / path).exists() else path


#: Keys of a source that hold a path, or a pattern of paths.
_PATHS = ("path", "imglist", "root", "tars", "parquet")


def portable_source(source: str | dict, home: Path) -> str | dict:
    """An image source of a spec with every path inside ``home`` made relative to it."""
    return _with_paths(source, lambda path: portable(path, home))


def absolute_source(source: str | dict, home: Path) -> str | dict:
    """The inverse of ``portable_source``."""
    return _with_paths(source, lambda path: absolute(path, home))


def _with_paths(source: str | dict, change: Callable[[str], str]) -> str | dict:
    """The source with the paths that it names changed."""
    if isinstance(source, str):
        return change(source)
    named = {key: change(source[key]) for key in _PATHS if isinstance(source.get(key), str)}
    files = {"files": [change(path) for path in source["files"]]} if "files" in source else {}
    inner = {"of": _with_paths(source["of"], change)} if "of" in source else {}
    return source | named | files | inner
