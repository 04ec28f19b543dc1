"""Coordinates kept in the run directory, so that a second visit reads them.

``embedding/<run and versions>-<settings>-<set>.parquet`` holds position, image_id, x and y of one set. What another
state of the run or other versions made is removed when something is written. A directory that cannot be written does
no harm: the coordinates are then made anew by the next process.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from cfs_explore.embedding.features import snapshot_features
from cfs_explore.embedding.projection import Projection, Settings, project
from cfs_explore.errors import RunError
from cfs_explore.store import Run
from cfs_explore.store.files import remove, write_table
from cfs_explore.store.manifest import SetEntry

_FOLDER = "embedding"
#: What each method's numbers depend on besides its input.
_VERSIONS = {"pca": ("scikit-learn",), "umap": ("umap-learn", "numba")}
#: UMAP's compiled code is not meant for several threads, and one fit at a time is what a small server can bear.
_LOCKS = {method: threading.Lock() for method in _VERSIONS}


def coordinates(run: Run, settings: Settings, oods: Sequence[str] = (), *, keep: bool = True) -> pd.DataFrame:
    """Coordinates of ID-test, on which the projection is fitted, and of OOD sets, which it places.

    A set's coordinates do not depend on which other sets are asked for.

    Args:
        run: with kept snapshots of ``settings.taps``.
        settings: taps, method and its parameters.
        oods: names of OOD sets.
        keep: store what had to be computed.

    Returns:
        One row per image, ID-test first: role, dataset, position (in the set), image_id, x, y (float32);
        ``attrs["explained"]`` has the variance shares of PCA's axes.

    Raises:
        EmbeddingError, RunError: as ``project`` and ``snapshot_features``.
    """
    entries = [run.id_test, *(run.entry("ood", name) for name in oods)]
    parts = []
    for entry in entries:
        part = _read(run, settings, entry)
        if part is None:
            part = _make(run, settings, entry, keep)
        parts.append(part.assign(role=entry.role, dataset=entry.name))
    frame = pd.concat(parts, ignore_index=True)[["role", "dataset", "position", "image_id", "x", "y"]]
    frame.attrs = {"explained": list(parts[0].attrs["explained"])}
    return frame


def is_stored(run: Run, settings: Settings, oods: Sequence[str] = ()) -> bool:
    """Whether ``coordinates`` would only read."""
    entries = [run.id_test, *(run.entry("ood", name) for name in oods)]
    return all(_path(run, settings, entry).is_file() for entry in entries)


def _make(run: Run, settings: Settings, entry: SetEntry, keep: bool) -> pd.DataFrame:
    """Compute a set's coordinates and store them to keep, unless another visitor has done so meanwhile."""
    with _LOCKS[settings.method]:
        frame = _read(run, settings, entry)
        if frame is None:
            frame = _compute(run, settings, entry)
            if keep:
                _write(run, settings, entry, frame)
        return frame


def _compute(run: Run, settings: Settings, entry: SetEntry) -> pd.DataFrame:
    projection = _fitted(run, settings)
    if entry.role == "id_test":
        values = projection.fitted
    else:
        values = projection.transform(snapshot_features(run, settings.taps, entry.role, entry.name))
    frame = pd.DataFrame(
        {
            "position": np.arange(entry.count),
            "image_id": _image_ids(run, entry),
            "x": values[:, 0].astype(np.float32),
            "y": values[:, 1].astype(np.float32),
        }
    )
    frame.attrs = {"explained": list(projection.explained)}
    return frame


@functools.lru_cache(maxsize=1)
def _fitted(run: Run, settings: Settings) -> Projection:
    """The last one is kept: a visitor who adds an OOD set waits for that set alone."""
    return project(snapshot_features(run, settings.taps, "id_test"), settings)


def _image_ids(run: Run, entry: SetEntry) -> pd.Series:
    return run.images(entry.role, entry.name, columns=("image_id",))["image_id"]


def _read(run: Run, settings: Settings, entry: SetEntry) -> pd.DataFrame | None:
    """What is stored of a set; None where nothing usable is."""
    try:
        frame = pd.read_parquet(_path(run, settings, entry))
        usable = list(frame["image_id"]) == list(_image_ids(run, entry)) and "explained" in frame.attrs
        return frame[["position", "image_id", "x", "y"]] if usable else None
    except (OSError, ValueError, KeyError):  # not there, cut short, or of another kind
        return None


def _write(run: Run, settings: Settings, entry: SetEntry, frame: pd.DataFrame) -> None:
    path = _path(run, settings, entry)
    with contextlib.suppress(OSError, RunError):
        for other in path.parent.glob(f"{settings.method}-*"):
            if not other.name.startswith(_source_key(run, settings)):
                remove(other)
        write_table(path, frame)


def _path(run: Run, settings: Settings, entry: SetEntry) -> Path:
    number = run.manifest.sets.index(entry)
    name = f"{_source_key(run, settings)}-{_digest(_used(settings))}-{number}.parquet"
    return run.path / _FOLDER / name


def _source_key(run: Run, settings: Settings) -> str:
    """Method, and a digest of the run's content and of the versions that the numbers depend on."""
    versions = {package: importlib.metadata.version(package) for package in _VERSIONS[settings.method]}
    return f"{settings.method}-{_digest([run.manifest.model_dump_json(), versions])}"


def _used(settings: Settings) -> dict:
    """The settings that the method reads."""
    used = asdict(settings)
    return used if settings.method == "umap" else {"taps": used["taps"]}


def _digest(content: object) -> str:
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=8).hexdigest()
