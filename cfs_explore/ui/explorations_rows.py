"""What the list of explorations says of each: read from its files, finished or not, damaged or not."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import streamlit as st

from cfs_explore import jobs
from cfs_explore.errors import CFSError
from cfs_explore.explorations import bundles
from cfs_explore.spec import RunSpec
from cfs_explore.store import Manifest
from cfs_explore.ui import data, ownership
from cfs_explore.wording import percent

#: Sizes on disk are looked up again after so many seconds.
_SIZE_SECONDS = 20


@dataclass(frozen=True)
class Row:
    """One exploration of the list.

    Attributes:
        path: the run directory or bundle.
        name, backbone, id_set, ood_sets, images, created: facts; "", (), None where they are not known.
        state: what a person reads: bundled, finished, running with stage and percent, ...
        finished: whether its map can be opened.
        under_way: whether a worker is at it or waits for its turn.
        bundled: whether it came with the project.
        error: why it cannot be read, "" where it can.
    """

    path: Path
    name: str
    state: str
    finished: bool
    under_way: bool
    bundled: bool
    backbone: str = ""
    id_set: str = ""
    ood_sets: tuple[str, ...] = ()
    images: int | None = None
    created: datetime.datetime | None = None
    error: str = ""

    def matches(self, words: Sequence[str]) -> bool:
        """Whether each word occurs in its name, backbone or sets."""
        text = "\n".join([self.name, self.backbone, self.id_set, *self.ood_sets]).casefold()
        return all(word.casefold() in text for word in words)


def list_rows() -> list[Row]:
    """The visitor's own explorations, the newest first, then those that come with the project."""
    own = [_row(path, bundled=False) for path in ownership.runs()]
    oldest = datetime.datetime.min.replace(tzinfo=datetime.UTC)
    own.sort(key=lambda row: row.created or oldest, reverse=True)
    return [*own, *(_row(path, bundled=True) for path in data.bundles())]


def size_of(path: Path) -> int:
    """Bytes on disk of an exploration, or of all of them; looked up now and then."""
    return _size_of(str(path))


@st.cache_data(ttl=_SIZE_SECONDS, max_entries=2_000, show_spinner=False)
def _size_of(path: str) -> int:
    return jobs.disk_used(Path(path))


def table_of(rows: Sequence[Row]) -> pd.DataFrame:
    """The list as it is shown."""
    return pd.DataFrame(
        {
            "Name": [plain(row.name) for row in rows],
            "State": [row.state for row in rows],
            "Backbone": [plain(row.backbone) for row in rows],
            "ID set": [plain(row.id_set) for row in rows],
            "OOD sets": [plain(", ".join(row.ood_sets)) for row in rows],
            "Images": pd.array([row.images for row in rows], dtype="Int64"),
            "Created": pd.to_datetime([row.created for row in rows], utc=True),
            "Disk (MB)": [size_of(row.path) / 1e6 for row in rows],
        }
    )


def plain(text: str) -> str:
    """Text from elsewhere without control characters and line breaks."""
    return "".join(c if c.isprintable() else " " for c in text)


def _row(path: Path, bundled: bool) -> Row:
    try:
        status = jobs.read_status(path)
        under_way = jobs.is_alive(status)
        if (path / "manifest.json").is_file():
            facts = _finished_facts(data.load_run(path).manifest)
        else:
            facts = _asked_for(path)
        finished = "images" in facts
        state = "Bundled" if bundled else _state(path, status, finished, under_way)
        return Row(path, state=state, finished=finished, under_way=under_way, bundled=bundled, **facts)
    except CFSError as error:
        return Row(path, path.name, "Unreadable", False, False, bundled, error=str(error))


def _finished_facts(manifest: Manifest) -> dict:
    named = {entry.role: entry.name for entry in manifest.sets}
    return {
        "name": manifest.name,
        "backbone": manifest.backbone.name,
        "id_set": named.get("id_test", ""),
        "ood_sets": tuple(entry.name for entry in manifest.sets if entry.role == "ood"),
        "images": sum(entry.count for entry in manifest.sets),
        "created": _when(manifest.created),
    }


def _asked_for(path: Path) -> dict:
    """What an unfinished run is about, by its spec."""
    spec = RunSpec.parse(path / "spec.yaml")
    sets = [part for part in (spec.id.test, spec.id.train) if part is not None]
    return {
        "name": spec.name,
        "backbone": Path(spec.backbone.path).name,
        "id_set": sets[0].name if sets else "",
        "ood_sets": tuple(part.name for part in spec.ood),
        "created": datetime.datetime.fromtimestamp((path / "spec.yaml").stat().st_mtime, datetime.UTC),
    }


def _when(text: str) -> datetime.datetime | None:
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)


def _state(path: Path, status: jobs.Status | None, finished: bool, under_way: bool) -> str:
    """In a few words where it stands."""
    if under_way and status.state == "waiting":
        return f"Waiting, place {status.place}" if status.place else "Waiting"
    if under_way:
        share = f" {percent(min(status.done / status.total, 1))}" if status.total else ""
        return f"Running: {plain(status.stage) or 'starting'}{share}"
    if status is not None and status.state in ("failed", "cancelled"):
        return f"{status.state.capitalize()}{', but the map is there' if finished else ''}"
    if finished:
        return "Imported" if (path / bundles.MARK).is_file() else "Finished"
    return "Not started"
