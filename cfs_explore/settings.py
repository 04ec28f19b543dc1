"""What an administrator sets for everybody, through environment variables. Read anew at each call.

CFS_EXPLORE_RUNS            folder of the runs (``locations.runs_root``)
CFS_EXPLORE_PUBLIC          1: strangers use this server; 0: only its owner. Unset: by the address that it serves
CFS_EXPLORE_ROOTS           folders whose files visitors may name, separated as in PATH. Unset: all on the owner's own
                            machine, none on a public server
CFS_EXPLORE_FETCH           1: visitors may name models and data sets, which this server fetches and keeps; 0: not.
                            Unset: on the owner's own machine only
CFS_EXPLORE_FETCH_FROM      what they may name, separated by blanks or commas: https://host/path, owner/name or owner/*
                            of the hub, torchvision. Unset: anything on the owner's own machine, nothing on a public
                            server
CFS_EXPLORE_MAX_FETCH_GB    size of one fetch
CFS_EXPLORE_PASSWORD        shared secret that the app asks for
CFS_EXPLORE_MAX_UPLOAD_MB   size of one uploaded file
CFS_EXPLORE_MAX_IMAGES      images of one set
CFS_EXPLORE_MAX_RUNS        runs in the folder of the runs
CFS_EXPLORE_MAX_WORKERS     processes that share one run
CFS_EXPLORE_MAX_DISK_GB     size of the folder of the runs, uploads and cache included
CFS_EXPLORE_CACHE_GB        size of the cache of measured snapshots in it; 0: none
CFS_EXPLORE_INPUTS_GB       pixels of one set that a run keeps; those of a larger set are read from its source again
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from cfs_explore.errors import SettingsError, SourceError

_PREFIX = "CFS_EXPLORE_"
#: An address, a repository or an owner of the hub, or torchvision's sets.
_FETCHED = re.compile(
    r"https://[a-z0-9.-]+(:\d+)?(/[\w.~/+-]*)?|[A-Za-z0-9][\w.-]*/([A-Za-z0-9][\w.-]*|\*)|torchvision"
)


@dataclass(frozen=True)
class Settings:
    """The limits of this installation; None means none.

    Attributes:
        public: strangers use it; None where nobody said so.
        roots: folders whose files a visitor may name; None where nobody said so.
        fetch: visitors may name what this server fetches; None where nobody said so.
        fetch_from: what they may name; None where nobody said so.
        password: asked for by the app; "" for none.
        max_fetch_bytes, max_upload_bytes, max_images, max_runs, max_workers, max_disk_bytes: see the module.
        cache_bytes: of the cache of measured snapshots.
        inputs_bytes: pixels of one set that a run keeps.
    """

    public: bool | None = None
    roots: tuple[Path, ...] | None = None
    fetch: bool | None = None
    fetch_from: tuple[str, ...] | None = None
    password: str = ""
    max_fetch_bytes: int | None = None
    max_upload_bytes: int | None = None
    max_images: int | None = None
    max_runs: int | None = None
    max_workers: int | None = None
    max_disk_bytes: int | None = None
    cache_bytes: int = 2 * 10**9
    inputs_bytes: int = 4 * 10**9


def read_settings() -> Settings:
    """The settings in the environment.

    Raises:
        SettingsError: naming the variable and what is allowed.
    """
    roots = [Path(part).expanduser() for part in _text("ROOTS").split(os.pathsep) if part]
    for root in roots:
        if not root.is_dir():
            raise SettingsError(
                f"{_PREFIX}ROOTS names {root}, which is not a folder. Separate folders by {os.pathsep!r}."
            )
    cache, inputs = _number("CACHE_GB", 10**9), _number("INPUTS_GB", 10**9)
    return Settings(
        public=_flag("PUBLIC"),
        roots=tuple(root.resolve() for root in roots) if f"{_PREFIX}ROOTS" in os.environ else None,
        fetch=_flag("FETCH"),
        fetch_from=_fetch_list(),
        max_fetch_bytes=_number("MAX_FETCH_GB", 10**9),
        password=_text("PASSWORD"),
        max_upload_bytes=_number("MAX_UPLOAD_MB", 10**6),
        max_images=_number("MAX_IMAGES", 1),
        max_runs=_number("MAX_RUNS", 1),
        max_workers=_number("MAX_WORKERS", 1),
        max_disk_bytes=_number("MAX_DISK_GB", 10**9),
        cache_bytes=Settings.cache_bytes if cache is None else cache,
        inputs_bytes=Settings.inputs_bytes if inputs is None else inputs,
    )


def check_inside(path: str | Path, roots: tuple[Path, ...]) -> Path:
    """The real path of what a visitor named, if it lies in one of the folders that are open to visitors.

    Links are followed first, so that none leads out.

    Raises:
        SourceError: it lies elsewhere; the message does not say whether it exists.
    """
    try:
        real = Path(os.path.realpath(os.path.expanduser(path)))
    except (OSError, ValueError):  # what can be no path
        real = None
    if real is not None and any(real.is_relative_to(root) for root in roots):
        return real
    listed = ", ".join(map(str, roots)) or "none"
    raise SourceError(
        f"{path} is not in a folder that this server opens to its visitors (open are: {listed}). Upload the images, or "
        f"ask the administrator to add the folder to {_PREFIX}ROOTS."
    )


def _text(name: str) -> str:
    return os.environ.get(_PREFIX + name, "").strip()


def _fetch_list() -> tuple[str, ...] | None:
    if f"{_PREFIX}FETCH_FROM" not in os.environ:
        return None
    named = tuple(_text("FETCH_FROM").replace(",", " ").split())
    for place in named:
        if not _FETCHED.fullmatch(place):
            raise SettingsError(
                f"{_PREFIX}FETCH_FROM names {place!r}: allowed are https://host or https://host/path, owner/name or "
                "owner/* of the Hugging Face hub, and torchvision, separated by blanks or commas."
            )
    return named


def _flag(name: str) -> bool | None:
    values, text = {"": None, "0": False, "1": True}, _text(name)
    if text not in values:
        raise SettingsError(f"{_PREFIX}{name} = {text!r}: allowed are 1, 0, or leave it out.")
    return values[text]


def _number(name: str, unit: int) -> int | None:
    text = _text(name)
    try:
        value = float(text) if text else None
        if value is None:
            return None
        if not 0 <= value < 1e12:
            raise ValueError(text)
    except ValueError:
        raise SettingsError(f"{_PREFIX}{name} = {text!r}: allowed is a number from 0 on, or leave it out.") from None
    return int(value * unit)
