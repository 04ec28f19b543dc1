"""The files of a set that lies in many: a folder, a name with * or ?, or with {000..012}; here or on object storage."""

from __future__ import annotations

import fnmatch
import itertools
import os
import re
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import BinaryIO

from ..errors import SourceError
from ..safe_io import remote
from .listing import distinct, printable

#: Files that a pattern may stand for.
MAX_FILES = 100_000
_RANGE = re.compile(r"\{(\d{1,18})\.\.(\d{1,18})\}")
_CHOICE = re.compile(r"\{([^{}]*,[^{}]*)\}")


def expanded(pattern: str) -> list[str]:
    """The names that one with {000..012} or {a,b} stands for, in that order; digits are padded as the first number is.

    Raises:
        SourceError: more than 100,000, or a range that falls.
    """
    names = [pattern]
    while any(found := [_RANGE.search(name) or _CHOICE.search(name) for name in names]):
        further = (new for name, match in zip(names, found, strict=True) for new in _replaced(name, match))
        names = list(itertools.islice(further, MAX_FILES + 1))
        if len(names) > MAX_FILES:
            raise SourceError(f"{printable(pattern)} stands for more than {MAX_FILES:,} files. Split it.")
    return names


def _replaced(name: str, match: re.Match | None) -> list[str]:
    if match is None:
        return [name]
    if match.re is _CHOICE:
        choices: Sequence[str] = match.group(1).split(",")
    else:
        first, last = match.groups()
        if int(last) < int(first) or int(last) - int(first) >= MAX_FILES:
            raise SourceError(
                f"{printable(name)}: {match.group()} is no range; allowed is {{FIRST..LAST}}, FIRST not above LAST, of "
                f"at most {MAX_FILES:,} numbers."
            )
        choices = [f"{number:0{len(first)}d}" for number in range(int(first), int(last) + 1)]
    return [f"{name[: match.start()]}{choice}{name[match.end() :]}" for choice in choices]


def local_paths(pattern: str) -> list[str]:
    """Every path of this computer that a pattern names: of names with * or ?, their folder. Remote ones, and patterns
    that cannot be read, as they are."""
    try:
        names = expanded(pattern)
    except SourceError:
        return [pattern]
    return [os.path.dirname(name) or "." if _is_glob(os.path.basename(name)) else name for name in names]


def find_files(pattern: str, ending: str, kind: str) -> list[str]:
    """The files of a set, sorted by name; paths of this computer are made absolute.

    Args:
        pattern: as given.
        ending: of the files in a folder.
        kind: of the mapping, for errors.

    Raises:
        SourceError: none, one that is missing, or * in the name of a folder. FetchError: remote, for visitors.
    """
    shown, found = printable(pattern), []
    for name in expanded(pattern):
        found += _remote_files(name, ending) if remote.is_remote(name) else _local_files(name, ending, kind)
    if not found:
        raise SourceError(f"{{'{kind}': ...}}: {shown} names no file ending in {ending}.")
    if len(found) > MAX_FILES:
        raise SourceError(f"{{'{kind}': ...}}: {shown} stands for more than {MAX_FILES:,} files. Split it.")
    return sorted(dict.fromkeys(found), key=lambda name: (f"{stem(name)}/", name))


def stem(name: str) -> str:
    """How the images of a file call it: its name without folder and ending."""
    return printable(PurePosixPath(name.replace(os.sep, "/")).name.rpartition(".")[0])


def stems(files: Sequence[str]) -> list[str]:
    """The same for several, each its own."""
    return distinct(map(stem, files))


def open_file(name: str, block: int = 2**20) -> BinaryIO:
    """A file of a set, to read and seek in.

    Raises:
        OSError, SourceError, FetchError: it cannot be opened.
    """
    return remote.open_remote(name, block) if remote.is_remote(name) else open(name, "rb")


def _is_glob(name: str) -> bool:
    return "*" in name or "?" in name


def _remote_files(name: str, ending: str) -> list[str]:
    if _is_glob(name):
        return remote.matching(name)
    if name.lower().endswith(ending):
        remote.file_system(name)  # whether it may be named at all
        return [name]
    return remote.matching(f"{name.rstrip('/')}/*{ending}")


def _local_files(name: str, ending: str, kind: str) -> list[str]:
    path = os.path.abspath(os.path.expanduser(name))
    folder, last = os.path.split(path)
    if os.path.isdir(path):
        return _matching(path, lambda entry: entry.lower().endswith(ending) and not entry.startswith("."))
    if _is_glob(folder):
        raise SourceError(f"{{'{kind}': ...}}: {printable(name)}: * and ? may stand in a file's name, not a folder's.")
    if _is_glob(last):
        return _matching(folder, lambda entry: fnmatch.fnmatchcase(entry, last))
    if not os.path.isfile(path):
        raise SourceError(f"{{'{kind}': ...}}: {printable(name)} does not exist.")
    return [path]


def _matching(folder: str, fits: Callable[[str], bool]) -> list[str]:
    try:
        return [
            path for entry in os.listdir(folder) if fits(entry) and os.path.isfile(path := os.path.join(folder, entry))
        ]
    except OSError as error:
        raise SourceError(f"{printable(folder)} cannot be listed ({error.strerror or error}).") from error
