"""Whether a run's ID images are of the set that its backbone was trained on; said only where both are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cfs_explore.explorations.bundles import names_places
from cfs_explore.explorations.pictures import source_of
from cfs_explore.locations import absolute
from cfs_explore.store import Run
from cfs_explore.store.milestones import MOST_BYTES, RECORD

#: Kinds of sources whose name says which images they are, and the options that choose among them by meaning; halves,
#: splits and numbers of images are parts of one set.
_NAMED = {"builtin": ("classes",), "torchvision": (), "hub": ()}


def training_difference(run: Run) -> str:
    """One line where the ID set is another than the backbone's training set; "" where it is not, or either is unknown.

    The training set is ``backbone.trained_on`` of the spec, else what `cfs-explore train` wrote beside the weights. Two
    sets are compared by their names within one kind of source: a folder's path does not say what is in it.
    """
    trained = training_source(run)
    found = source_of(run, run.entry("id_train"))
    if trained is None or found is None or _same(trained, found) is not False:
        return ""
    return f"ID differs from the backbone's training set: {_words(found)}, not {_words(trained)}."


def training_source(run: Run) -> str | dict[str, Any] | None:
    """The image source that a run's backbone was trained on; None where neither spec nor weights say."""
    backbone = run.manifest.spec["backbone"]
    if backbone.get("trained_on") is not None:
        return backbone["trained_on"]
    if not names_places(run.path):
        return None  # a stranger's run must not read files here
    place = Path(absolute(backbone["path"], run.path))
    record = (place if place.is_dir() else place.parent) / RECORD
    try:
        if record.stat().st_size > MOST_BYTES:
            return None
        source = json.loads(record.read_text(encoding="utf-8"))["spec"]["data"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return source if isinstance(source, str | dict) else None


def _same(one: str | dict[str, Any], other: str | dict[str, Any]) -> bool | None:
    """Whether two sources are parts of one image set; None where their names do not tell."""
    if one == other:
        return True
    first, second = _identity(one), _identity(other)
    if first is None or second is None or first[0] != second[0]:
        return None
    return first == second


def _identity(source: Any) -> tuple | None:
    """Kind and name of a named source, with what chooses among its images by meaning; None of any other."""
    kind = next((kind for kind in _NAMED if isinstance(source, dict) and kind in source), None)
    return None if kind is None else (kind, source[kind], *(source.get(option) for option in _NAMED[kind]))


def _words(source: str | dict[str, Any]) -> str:
    """'CIFAR10', 'digits of the classes 0, 1 and 2'."""
    _, name, *options = _identity(source)
    chosen = options[0] if options else None
    if chosen is None:
        return str(name)
    return f"{name} {', '.join(map(str, chosen)) if isinstance(chosen, list) else chosen}"
