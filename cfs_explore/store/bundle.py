"""A finished run as one zip file, and back.

A zip comes from anybody: only known files are taken, and all of them are checked before the run shows up.
"""

from __future__ import annotations

import contextlib
import errno
import re
import secrets
import shutil
import stat
import struct
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from cfs_explore.errors import RunError
from cfs_explore.safe_io.bounded_reads import TooManyMembersError, open_zip
from cfs_explore.store.bundle_check import check_run
from cfs_explore.store.files import remove, write_aside
from cfs_explore.studies import TABLES

#: Most members, and most bytes when unpacked.
MAX_MEMBERS, MAX_BYTES = 20_000, 4 * 2**30
#: Of the directory at the zip's end: so many names as long as allowed take less.
_MAX_DIRECTORY_BYTES = 32 * 2**20
#: Members that are text and read as a whole may have this many bytes.
MAX_TEXT_BYTES = 16 * 2**20
#: A member may unpack to this many times its packed size, beyond the first ``_FREE_BYTES``.
_MAX_RATIO, _FREE_BYTES = 200, 2**20
_BLOCK = 2**20
_PART, _CHUNK = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}", r"c(/\d{1,9}){0,6}"
_MOMENTS = "count|mean|m2|m2_within|pair_squares|pairs"
_RUN_FILE = re.compile(
    rf"manifest\.json|spec\.yaml|seal\.json|images\.parquet|tables/({'|'.join(TABLES)})\.parquet"
    rf"|scores\.zarr/(zarr\.json|{_CHUNK})"
    rf"|moments\.zarr/(({_MOMENTS})/)?zarr\.json|moments\.zarr/({_MOMENTS})/{_CHUNK}"
    rf"|snapshots\.zarr/zarr\.json|snapshots\.zarr/{_PART}/(zarr\.json|{_CHUNK})"
)
_BACKBONE_FILE = re.compile(rf"backbone/({_PART}/){{0,3}}{_PART}\.(json|yaml|safetensors)")
_TEXT = (".json", ".yaml")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the ones that unpack in bounded steps
_ENCRYPTED = 0x1
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
)
_OLD_SECONDS = 24 * 3600


def write_zip(run: Path, file: BinaryIO | Path, texts: Mapping[str, str] | None = None) -> None:
    """Pack a finished run: equal runs give equal bytes.

    Everything that a reader needs goes in, and the folder ``backbone`` where it lies inside; work in progress, uploads
    and logs do not.

    Args:
        run: its directory.
        file: a path, or a file open for writing; it is written piece by piece.
        texts: contents that take the place of the files of these names.

    Raises:
        RunError: the run is not finished, or changes meanwhile.
    """
    if not (run / "manifest.json").is_file():
        raise RunError(f"{run.name} is not finished: it has no manifest.json. Let it finish, then pack it.")
    if isinstance(file, Path):
        with write_aside(file) as partial, partial.open("wb") as opened:
            write_zip(run, opened, texts)
        return
    texts = texts or {}
    names = sorted({*_packed_names(run), *texts})
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            info = zipfile.ZipInfo(name)  # of 1980, on every computer
            info.compress_type = zipfile.ZIP_DEFLATED if name.endswith(_TEXT) else zipfile.ZIP_STORED
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            try:
                with archive.open(info, "w", force_zip64=True) as member:
                    if name in texts:
                        member.write(texts[name].encode())
                    else:
                        with (run / name).open("rb") as source:
                            shutil.copyfileobj(source, member, _BLOCK)
            except FileNotFoundError as error:
                raise RunError(f"{run.name} changed while it was packed ({name} went). Try again.") from error


def _packed_names(run: Path) -> Iterator[str]:
    for path in run.rglob("*"):
        name = path.relative_to(run).as_posix()
        wanted = _RUN_FILE.fullmatch(name) or _BACKBONE_FILE.fullmatch(name)
        if wanted and path.is_file() and not path.is_symlink():
            yield name


def read_zip(
    path: Path,
    runs_root: Path,
    *,
    backbone: bool = True,
    finish: Callable[[Path], None] | None = None,
    max_members: int = MAX_MEMBERS,
    max_bytes: int = MAX_BYTES,
) -> Path:
    """Unpack a zip of a run beside the other runs, under a new unguessable id.

    It is unpacked out of sight, checked as a whole, and shows up only when all is well.

    Args:
        path: the zip.
        runs_root: folder of the runs.
        backbone: whether to take the backbone along, where there is one.
        finish: called with the checked folder before it shows up; what it raises refuses the run.
        max_members, max_bytes: limits.

    Returns:
        The new run directory.

    Raises:
        RunError: naming the member or field that is wrong; nothing is left behind.
    """
    home = runs_root / ".imports"
    partial = home / f"{secrets.token_hex(8)}.partial"
    try:
        partial.mkdir(parents=True)
        _forget_old(home)
        _unpack(path, partial, backbone, max_members, max_bytes)
        name = check_run(partial).name
        if finish is not None:
            finish(partial)
        run = runs_root / new_id(name)
        partial.rename(run)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RunError("The disk is full: the zip could not be unpacked. Free some space and try again.") from error
        raise RunError(f"{path.name} could not be read ({error.strerror or error}). Get it again.") from error
    finally:
        remove(partial)
        with contextlib.suppress(OSError):  # not empty: another import is under way
            home.rmdir()
    return run


def new_id(name: str) -> str:
    """An id that nobody can guess and that begins with the run's name."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:32].strip("-") or "run"
    return f"{slug}-{secrets.token_urlsafe(8)}"


def _unpack(path: Path, target: Path, backbone: bool, max_members: int, max_bytes: int) -> None:
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        raise RunError(f"{path} does not exist.") from error
    with file, _opened(path, file, max_members) as archive:
        left = max_bytes
        for info in _usable(archive):
            if backbone or not info.filename.startswith("backbone/"):
                left -= _unpack_member(archive, info, target, left)


def _opened(path: Path, file: BinaryIO, max_members: int) -> zipfile.ZipFile:
    try:
        return open_zip(file, max_members, _MAX_DIRECTORY_BYTES)
    except TooManyMembersError as error:
        raise RunError(f"The zip has {error}; an exploration has at most {max_members:,}.") from error
    except (*_DAMAGE, UnicodeError) as error:
        raise RunError(f"{path.name} is not a readable zip archive ({error}). Get it again.") from error


def _usable(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The members, all of which must be files of a run.

    Raises:
        RunError: naming the one that is not.
    """
    infos = archive.infolist()
    taken: set[str] = set()
    for info in infos:
        name = info.orig_filename  # as it is written there, before anything is made of it
        shown = repr(name[:120])
        if not (_RUN_FILE.fullmatch(name) or _BACKBONE_FILE.fullmatch(name)) or name != info.filename:
            raise RunError(
                f"{shown} is not a file of an exploration. A zip made by `cfs-explore export`, or by the page "
                "Explorations, holds nothing else: pack it again that way."
            )
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise RunError(f"{shown} is a link or a device, not a file. Pack the exploration again.")
        if info.flag_bits & _ENCRYPTED or info.compress_type not in _METHODS:
            raise RunError(f"{shown} is encrypted or packed in an unusual way; allowed are stored and deflate.")
        if name.casefold() in taken:
            raise RunError(f"{shown} is in the zip twice (or differs from another only in case). Pack it again.")
        taken.add(name.casefold())
    for needed in ("manifest.json", "spec.yaml", "images.parquet"):
        if needed not in taken:
            raise RunError(f"The zip has no {needed}: it is not an exploration. Make one with `cfs-explore export`.")
    return infos


def _unpack_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path, left: int) -> int:
    """Write one member; returns its bytes, which count as they come: headers may lie."""
    name = info.filename
    allowed = min(left, _FREE_BYTES + _MAX_RATIO * info.compress_size)
    if name.endswith(_TEXT):
        allowed = min(allowed, MAX_TEXT_BYTES)
    out = target / name
    written = 0
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("xb") as file, archive.open(info) as member:
            while block := member.read(_BLOCK):
                written += len(block)
                if written > allowed:
                    raise RunError(f"{name} unpacks to more than the {allowed:,} bytes that are allowed for it here.")
                file.write(block)
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise RunError(f"{name} is damaged in the zip ({error}). Get the zip again.") from error
    return written


def _forget_old(home: Path) -> None:
    """Remove what imports left behind that were killed."""
    for folder in home.glob("*.partial"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > _OLD_SECONDS:
                remove(folder)
