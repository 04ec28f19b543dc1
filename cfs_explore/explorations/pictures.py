"""The images of sets whose thumbnails a run does not hold: found again where their source is on this computer.

found = find_pictures(run, "ood", "SVHN")         # image_id -> PNG; None: the set is not here
record = find_record(run, entry, image_id, name)  # one image in full size
picture = as_seen(run, entry)(thumbnail)          # a PNG of the thumbnail as the backbone took the image
fetch(run, print)                                 # gets what is public, by the names in the run's spec
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from cfs_explore import images
from cfs_explore.errors import CFSError, SourceError
from cfs_explore.images import Record, thumbnail
from cfs_explore.images.decode import decode
from cfs_explore.images.reference import is_altered
from cfs_explore.locations import BUNDLES, absolute, absolute_source, locate_run, program, runs_root
from cfs_explore.safe_io.remote import is_remote
from cfs_explore.spec import ImageSet, RunSpec
from cfs_explore.store import Run
from cfs_explore.store.growing import is_growing
from cfs_explore.store.manifest import SetEntry
from cfs_explore.wording import counted


def find_pictures(run: Run, entry: SetEntry) -> dict[str, bytes] | None:
    """Thumbnails of a set's images, by their ids, from its source; nothing is fetched.

    An image is known by its pixels, so that it does not matter in which form the set lies here.

    Returns:
        image_id -> PNG bytes of those that are found; None where the source cannot be opened here.
    """
    wanted = set(run.images(entry.role, entry.name, columns=("image_id",))["image_id"])
    try:
        with _open(run, entry) as opened:
            return {each.image_id: thumbnail(each.pixels) for each in opened.readable() if each.image_id in wanted}
    except CFSError:
        return None


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
    try:
        with _open(run, entry) as opened:
            order = sorted(range(len(opened)), key=lambda i: opened.names[i] != name)
            return next((each for each in opened.readable(order) if each.image_id == image_id), None)
    except CFSError:
        return None


def as_seen(run: Run, entry: SetEntry) -> Callable[[bytes], bytes]:
    """What shows a thumbnail of a set as the run's backbone took the image: cut or padded, resized, grey or coloured.

    Thumbnails show images as they were given, at most 64 pixels wide and high; where the backbone takes larger ones,
    this is what it took, shrunk likewise.

    Args:
        run: whose backbone and way of resizing.
        entry: of the set, which may have its own.

    Returns:
        PNG bytes or b"" -> PNG bytes; those that were given where they show the very pixels, or cannot be fitted.
    """
    shape, fitting = tuple(run.manifest.backbone.image_shape), fitting_of(run, entry)
    return lambda picture: _fitted(picture, shape, **fitting) if picture else picture


@functools.lru_cache(maxsize=1024)
def _fitted(picture: bytes, shape: tuple[int, int, int], policy: str, filter: str) -> bytes:
    try:
        given = decode(picture, "thumbnail").pixels
        seen = images.to_input(given, shape, policy, filter).transpose(1, 2, 0)
    except CFSError:
        return picture
    return picture if np.array_equal(seen, given) else thumbnail(seen)


def is_here(source: str | dict[str, Any]) -> bool:
    """Whether an image set can be opened on this computer; nothing is fetched.

    Args:
        source: what ``images.open_source`` takes, with absolute paths. Of files it is only asked whether they exist.
    """
    if is_altered(source):
        return is_here(source["of"])
    if isinstance(source, dict) and "builtin" in source:
        return True
    places = [os.path.expanduser(place) for place in images.paths_named(source)]
    if places and all(map(os.path.isfile, places)):
        return True
    try:
        with images.open_source(_offline(source)):
            return True
    except CFSError:
        return False


def how_to_get(run: Run, entry: SetEntry) -> str:
    """Where a set comes from, in words: '' where the run does not say."""
    source = source_of(run, entry)
    if is_altered(source):
        source = source.get("of")
    if isinstance(source, dict) and "torchvision" in source:
        return f"torchvision's {source['torchvision']}"
    if isinstance(source, dict) and "hub" in source:
        return f"{source['hub']} on the Hugging Face hub"
    return ""


def fetch_command(run: Run) -> str:
    """The command line that gets the public sets of a run; "" for a map so far, which is gone in a moment."""
    if is_growing(run.path):
        return ""
    by_name = run.path.resolve().parent in (runs_root().resolve(), BUNDLES.resolve())
    return f"{program()} fetch {run.path.name if by_name else run.path}"


def fetch(run: Run, report: Callable[[str], None]) -> list[str]:
    """Get the public sets of a run, each once, and report what was found.

    Args:
        run: finished.
        report: called with a line per set.

    Returns:
        The names of the sets that are not there.
    """
    done: dict[str, tuple[str, bool]] = {}
    left: list[str] = []
    if not any(how_to_get(run, entry) for entry in run.manifest.sets):
        report(f"{run.name} names no public set: there is nothing to fetch.")
    for entry in run.manifest.sets:
        if not how_to_get(run, entry):
            continue
        source = source_of(run, entry)
        outcome, missing = done.get(str(source), ("", False))
        if not outcome:
            try:
                with images.open_source(source) as opened:
                    outcome = f"{counted(len(opened), 'image')} there"
            except CFSError as error:
                outcome, missing = str(error), True
            done[str(source)] = outcome, missing
        left += [entry.name] if missing else []
        report(f"{entry.name} ({entry.role.replace('_', '-')}): {outcome}")
    return left


def source_of(run: Run, entry: SetEntry) -> str | dict[str, Any] | None:
    """Where a set came from, with absolute paths; None where neither the run nor the one that it took it from says."""
    chosen = _set_of(run, entry)
    return None if chosen is None else chosen.source


def fitting_of(run: Run, entry: SetEntry | None = None) -> dict[str, str]:
    """How a run brought a set's images to its backbone's size, as ``to_input`` takes it; of no set: its usual way."""
    return RunSpec(**run.manifest.spec).fitting(None if entry is None else _set_of(run, entry))


def _set_of(run: Run, entry: SetEntry) -> ImageSet | None:
    """A set as it was asked for, with absolute paths; None where neither the run nor the one it was taken from says."""
    spec = RunSpec(**run.manifest.spec)
    if entry.role == "ood":
        chosen = next((image_set for image_set in spec.ood if image_set.name == entry.name), None)
        return None if chosen is None else _placed(chosen, run)
    if spec.id.run is not None:
        try:
            base = Run(locate_run(absolute(spec.id.run, run.path)))
        except CFSError:
            return None
        return _set_of(base, base.entry(entry.role))
    chosen = spec.id.test or spec.id.train if entry.role == "id_test" else spec.id.train
    return _placed(chosen, run)


def _placed(image_set: ImageSet, run: Run) -> ImageSet:
    return image_set.model_copy(update={"source": absolute_source(image_set.source, run.path)})


def _open(run: Run, entry: SetEntry) -> images.Source:
    """A set's source as it may lie on this computer, all of it: in another order, its halves would be others.

    Raises:
        SourceError: it is not here, or not known.
    """
    chosen = _set_of(run, entry)
    if chosen is None:
        raise SourceError(f"{run.name} does not say where {entry.name} came from.")
    return images.open_source(_offline(chosen.source), centre_crop=chosen.centre_crop)


def _offline(source: str | dict[str, Any]) -> str | dict[str, Any]:
    """The source as it may lie on this computer, so that nothing is fetched.

    Raises:
        SourceError: it lies on object storage.
    """
    away = [place for place in images.paths_named(source) if is_remote(place)]
    if away:
        raise SourceError(f"{away[0]} is on object storage, from which pages fetch nothing.")
    if is_altered(source):
        return source | {"of": _offline(source["of"])}
    if isinstance(source, dict) and ("torchvision" in source or "hub" in source):
        return source | {"download": False}
    return source
