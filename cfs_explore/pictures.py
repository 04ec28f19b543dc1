"""The images of sets whose thumbnails a run does not hold: found again where their source is on this computer.

found = find_pictures(run, "ood", "SVHN")         # image_id -> PNG; None: the set is not here
record = find_record(run, entry, image_id, name)  # one image in full size
fetch(run, print)                                 # gets what is public, by the names in the run's spec
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cfs_explore import images
from cfs_explore.errors import CFSError, ImageError
from cfs_explore.images import Record, thumbnail
from cfs_explore.locations import absolute_source
from cfs_explore.spec import ImageSet, RunSpec
from cfs_explore.store import Run
from cfs_explore.store.manifest import SetEntry


def find_pictures(run: Run, entry: SetEntry) -> dict[str, bytes] | None:
    """Thumbnails of a set's images, by their ids, from its source; nothing is fetched.

    An image is known by its pixels, so that it does not matter in which form the set lies here.

    Returns:
        image_id -> PNG bytes of those that are found; None where the source cannot be opened here.
    """
    chosen = _set_of(run, entry)
    if chosen is None:
        return None
    wanted = set(run.images(entry.role, entry.name, columns=("image_id",))["image_id"])
    found: dict[str, bytes] = {}
    try:
        with images.open_source(_offline(chosen.source, run.path)) as source:
            for i in range(len(source)):
                with contextlib.suppress(ImageError):
                    record = source.read(i)
                    if record.image_id in wanted:
                        found[record.image_id] = thumbnail(record.pixels)
    except CFSError:
        return None
    return found


def find_record(run: Run, entry: SetEntry, image_id: str, name: str) -> Record | None:
    """One image of a set in full size, from its source; nothing is fetched.

    Args:
        run: finished.
        entry: of the set.
        image_id: of the image, which is known by its pixels.
        name: that it had in the set; images of this name are looked at first.

    Returns:
        None where the source cannot be opened here, or does not hold the image any more.
    """
    chosen = _set_of(run, entry)
    if chosen is None:
        return None
    try:
        with images.open_source(_offline(chosen.source, run.path)) as source:
            for i in sorted(range(len(source)), key=lambda i: source.names[i] != name):
                with contextlib.suppress(ImageError):
                    record = source.read(i)
                    if record.image_id == image_id:
                        return record
    except CFSError:
        return None
    return None


def how_to_get(run: Run, entry: SetEntry) -> str:
    """Where a set comes from, in words: '' where the run does not say."""
    chosen = _set_of(run, entry)
    source = None if chosen is None else chosen.source
    if isinstance(source, dict) and "altered" in source:
        source = source.get("of")
    if isinstance(source, dict) and "torchvision" in source:
        return f"torchvision's {source['torchvision']}"
    if isinstance(source, dict) and "hub" in source:
        return f"{source['hub']} on the Hugging Face hub"
    return ""


def fetch(run: Run, tell: Callable[[str], None]) -> None:
    """Get the public sets of a run that lack thumbnails, each once, and tell what was found.

    Args:
        run: finished.
        tell: called with a line per set.
    """
    done: dict[str, str] = {}
    if all(entry.thumbnails or not how_to_get(run, entry) for entry in run.manifest.sets):
        tell(f"{run.name} names no public set whose pictures it lacks.")
    for entry in run.manifest.sets:
        if entry.thumbnails or not how_to_get(run, entry):
            continue
        source = _set_of(run, entry).source
        told = done.get(str(source))
        if told is None:
            try:
                with images.open_source(source) as opened:
                    told = f"{len(opened):,} images are there"
            except CFSError as error:
                told = str(error)
            done[str(source)] = told
        tell(f"{entry.name} ({entry.role.replace('_', '-')}): {told}")


def _set_of(run: Run, entry: SetEntry) -> ImageSet | None:
    """What the spec of a run says of a set; None where it took it from another run."""
    spec = RunSpec(**run.manifest.spec)
    if entry.role == "ood":
        return next((each for each in spec.ood if each.name == entry.name), None)
    return spec.id.test or spec.id.train if entry.role == "id_test" else spec.id.train


def _offline(source: str | dict[str, Any], home: Path) -> str | dict[str, Any]:
    """The source as it may lie on this computer, so that nothing is fetched."""
    source = absolute_source(source, home)
    if isinstance(source, dict) and "altered" in source:
        return source | {"of": _offline(source["of"], home)}
    if isinstance(source, dict) and ("torchvision" in source or "hub" in source):
        return source | {"download": False}
    return source
