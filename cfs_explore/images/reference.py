"""What names an image set: a path, or a mapping of one kind with its options. Checked here; opened in ``opening``."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SourceError
from ..safe_io.fetching import reads_as_hub_id
from .layouts import LAYOUTS
from .shard_files import local_paths

#: Kind -> its options. 'builtin' has those of its set.
KINDS: dict[str, tuple[str, ...]] = {
    "path": ("root", "column", "label_column", "group_column", "range", "pages", "key", "layout"),
    "files": ("labels", "names", "groups", "range", "pages"),
    "imglist": ("root", "range", "pages"),
    "hub": ("split", "column", "label", "group_column", "config", "range", "pages", "download"),
    "torchvision": ("split", "root", "download"),
    "tars": ("column", "label_column", "group_column", "range", "pages"),
    "parquet": ("column", "label_column", "group_column", "range", "pages"),
    "altered": ("of", "seed", "severity"),
}


@dataclass(frozen=True)
class Reference:
    """A checked mapping: its kind, what the kind's key holds, and the options that were given."""

    kind: str
    value: Any
    options: dict[str, Any]


def read_reference(given: Mapping) -> Reference:
    """Check a mapping of one kind; an option that is None counts as not given.

    Raises:
        SourceError: no kind or two, an unknown option, or a value of a wrong type; names what is allowed.
    """
    kinds = [key for key in ("builtin", *KINDS) if key in given]
    if len(kinds) != 1:
        raise SourceError(_kind_error(given, kinds))
    kind = kinds[0]
    options = {key: value for key, value in given.items() if key != kind and value is not None}
    if kind == "builtin" and not _is_text(given[kind]):
        raise SourceError(f"{{'builtin': ...}}: {_short(given[kind])} is not the name of a set; allowed is a text.")
    if kind != "builtin":
        for key in options:
            if key not in KINDS[kind]:
                raise SourceError(f"{{'{kind}': ...}} has no option {key!r}{_close(key, KINDS[kind])}")
        for key, value in {kind: given[kind], **options}.items():
            allowed, is_valid = _TYPES[key]
            if not is_valid(value):
                raise SourceError(f"{{'{kind}': ...}}: {key} = {_short(value)}; allowed is {allowed}.")
    return Reference(kind, given[kind], options)


def paths_named(source: str | os.PathLike | Mapping) -> list[str]:
    """Every path of this computer that a reference names, as given: each is to lie in an administrator's roots.

    Args:
        source: what ``open_source`` takes; where types are wrong, only the texts count.
    """
    if not isinstance(source, Mapping):
        return [os.fspath(source)] if isinstance(source, str | os.PathLike) else []
    if isinstance(source.get("of"), str | Mapping) and "altered" in source:
        return [] if is_altered(source["of"]) else paths_named(source["of"])
    files = source.get("files")
    values = [source.get(key) for key in ("path", "imglist", "root")]
    values += files if isinstance(files, Sequence) and not isinstance(files, str | bytes) else [files]
    hub = source.get("hub")
    values += [hub] if isinstance(hub, str) and not is_hub_id(hub) else []
    for pattern in (source.get("tars"), source.get("parquet")):
        values += local_paths(pattern) if isinstance(pattern, str) else [pattern]
    return [os.fspath(value) for value in values if isinstance(value, str | os.PathLike)]


def is_altered(source: object) -> bool:
    """Whether a reference names a change of another set."""
    return isinstance(source, Mapping) and "altered" in source


def is_hub_id(text: str) -> bool:
    """Whether ``owner/name`` names a data set of the hub; what exists on this computer is a path."""
    return reads_as_hub_id(text) and not os.path.exists(text)


def _kind_error(given: Mapping, kinds: list[str]) -> str:
    every = ", ".join(["builtin", *KINDS])
    if kinds:
        return f"an image set has one kind, but {', '.join(kinds)} are given together; keep one of them."
    keys = [str(key) for key in given][:10]
    close = next((m for key in keys for m in difflib.get_close_matches(key, ["builtin", *KINDS], 1)), None)
    hint = f" Did you mean {close!r}?" if close else ""
    return f"{_short(dict(given))} says no kind of image set: give one of {every}.{hint}"


def _close(key: object, allowed: Sequence[str]) -> str:
    match = difflib.get_close_matches(str(key), allowed, 1)
    hint = f" Did you mean {match[0]!r}?" if match else ""
    return f"; allowed are {', '.join(allowed)}.{hint}"


def _short(value: object) -> str:
    try:
        text = repr(value)
    except RecursionError:
        text = "what nests too deep"
    return text if len(text) <= 120 else f"{text[:117]}..."


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value) and "\0" not in value


def _is_path(value: object) -> bool:
    return isinstance(value, str | Path) and _is_text(str(value))


def _is_range(value: object) -> bool:
    numbers = isinstance(value, list | tuple) and len(value) == 2
    if not numbers or any(isinstance(v, bool) or not isinstance(v, int | float) for v in value):
        return False
    return -1e300 < value[0] < value[1] < 1e300


def _is_list_of(test: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list | tuple) and all(map(test, value))


def _is_plain(value: object) -> bool:
    return isinstance(value, Mapping) and not is_altered(value)


_TEXT = ("text", _is_text)
_PATH = ("a path", _is_path)
#: Key -> (what is allowed, the test of it).
_TYPES: dict[str, tuple[str, Callable[[object], bool]]] = {
    **dict.fromkeys(("path", "root", "imglist", "tars", "parquet"), _PATH),
    **dict.fromkeys(
        ("column", "label_column", "group_column", "key", "hub", "split", "label", "config", "torchvision", "altered"),
        _TEXT,
    ),
    "of": ("a path or a mapping that is not altered itself", lambda v: _is_path(v) or _is_plain(v)),
    "seed": ("a whole number from 0 on", lambda v: isinstance(v, int) and not isinstance(v, bool) and v >= 0),
    "severity": ("a whole number from 1 to 5", lambda v: type(v) is int and 1 <= v <= 5),
    "range": ("a list of two numbers, the lower one first", _is_range),
    "pages": ("first or all", lambda value: value in ("first", "all")),
    "layout": (f"one of {', '.join(LAYOUTS)}", lambda value: value in LAYOUTS),
    "files": ("a list of paths", lambda value: _is_list_of(_is_path)(value) and len(value) > 0),
    "names": ("a list of texts", _is_list_of(_is_text)),
    **dict.fromkeys(
        ("labels", "groups"),
        ("a list of texts or whole numbers", _is_list_of(lambda value: isinstance(value, str | int))),
    ),
    "download": ("true or false", lambda value: isinstance(value, bool)),
}
