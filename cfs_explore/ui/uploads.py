"""Uploads go to disk at once; neither a widget's file object nor Streamlit's copy in memory is kept."""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import time
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from cfs_explore.errors import RunError, SourceError
from cfs_explore.images.listing import IMAGE_EXTENSIONS, is_hidden
from cfs_explore.jobs.estimate import format_bytes
from cfs_explore.locations import runs_root
from cfs_explore.ui import access

#: Spooled uploads that no run took over are removed after this many seconds.
_KEEP_SECONDS = 24 * 3600
_COMMON = ("png", "jpg", "jpeg", "webp")
PICTURES = (*_COMMON, *sorted({extension[1:] for extension in IMAGE_EXTENSIONS} - set(_COMMON)))
#: "gz" and "zst" are the ends of .tar.gz and .tar.zst, which browsers do not know as one extension.
TYPES = ("zip", "tar", "tgz", "gz", "zst", "parquet", "npz", "npy", *PICTURES)
#: Folders that are kept of a picture's path; the last is its class.
_DEPTH = 4
_LONGEST_STEM = 50


def spool(upload) -> Path:
    """Copy an uploaded file to disk, once per upload, and return its path; Streamlit's own copy in memory is dropped.

    Raises:
        SourceError: it is larger than this server allows, empty, or not there any more. RunError: the disk is full.
    """
    if not _path(upload).is_file():
        if not upload.size:
            raise SourceError(f"{upload.name} is empty, or a run that was started has taken it over. Upload it again.")
        _forget_old()
    return _stored(upload)


def spool_pictures(uploads: Sequence, name: str) -> Path:
    """Put uploaded pictures into one folder, once, and return it: a set of them all.

    Of a picture's path in an uploaded folder, the last folders are kept, so that class folders become labels. Parts
    are made safe; pictures of one path get numbers.

    Args:
        uploads: the browser's files; ``name`` of each is its path.
        name: of the set.

    Raises:
        SourceError: a file is larger than this server allows, or none is left. RunError: the disk is full.
    """
    uploads = [upload for upload in uploads if not is_hidden(upload.name)]
    if not uploads:
        raise SourceError(f"{name} holds no pictures. Accepted: {', '.join(PICTURES)}.")
    digest = hashlib.blake2b("\n".join(sorted(u.file_id for u in uploads)).encode(), digest_size=12).hexdigest()
    folder = spool_folder() / digest / safe_name(name)
    if not folder.is_dir():
        _forget_old()
        partial = folder.with_name(folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        for upload, path in zip(uploads, _distinct_paths(upload.name for upload in uploads), strict=True):
            _link(_stored(upload), partial / path)
        partial.replace(folder)
    return folder


def check_there(source: str | dict) -> None:
    """Raise SourceError where the spooled files of a source are no longer there."""
    path = Path(source.get("path", "") if isinstance(source, dict) else source)
    if path.is_relative_to(spool_folder()) and not path.exists():
        raise SourceError(f"{path.name} was uploaded too long ago and is no longer there. Upload it again.")


def take_over(source: str | dict, run: Path) -> str | dict:
    """The source, its spooled files moved into the run directory that uses them; others stay where they are.

    Raises:
        SourceError: they are no longer there.
    """
    if isinstance(source, dict):
        return source | {"path": take_over(source["path"], run)} if "path" in source else source
    path = Path(source)
    if not path.is_relative_to(spool_folder()):
        return source
    target = run / "uploads" / path.parent.name / path.name
    check_there(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(path, target)
    return str(target)


def suggest_name(file_name: str, taken: Sequence[str]) -> str:
    """A set's name from its file: letters, digits and a few signs, not used yet."""
    stem, ending = _split(file_name)
    if ending.removeprefix(".tar")[1:] not in (*TYPES, "csv", "txt"):
        stem += ending
    stem = re.sub(r"[^\w .+()-]+", " ", stem).lstrip(" .-_+()")[:40].rstrip(" .-_") or "set"
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem} {number}", number + 1
    return name


def safe_name(name: str) -> str:
    """One part of a path, whatever the browser called it: letters, digits and a few signs, not hidden, not too long."""
    stem, ending = _split(unicodedata.normalize("NFC", name))
    return (re.sub(r"[^\w .+()-]+", "-", stem).strip(" .-")[:_LONGEST_STEM].rstrip(" .-") or "upload") + ending


def _split(name: str) -> tuple[str, str]:
    """Stem and lower-case ending of a path's last part; .tar.gz is one ending."""
    last = re.split(r"[/\\]", name)[-1]
    found = re.search(r"(\.tar)?\.[a-z0-9]{1,8}\Z", last, re.IGNORECASE | re.ASCII)
    ending = found.group() if found and found.start() else ""
    return last.removesuffix(ending), ending.lower()


def _distinct_paths(names: Iterable[str]) -> list[Path]:
    """A safe relative path per name, no two alike on any file system."""
    taken: set[str] = set()
    paths = []
    for name in names:
        *folders, last = [part for part in re.split(r"[/\\]+", name) if part.strip(". ")] or ["picture"]
        home = Path(*map(safe_name, folders[1:][-_DEPTH:]))  # without the uploaded folder's own name
        plain = path = home / safe_name(last)
        number = 2
        while str(path).lower() in taken:
            path, number = plain.with_name(f"{plain.stem}-{number}{plain.suffix}"), number + 1
        taken.add(str(path).lower())
        paths.append(path)
    return paths


def spool_folder() -> Path:
    """Where uploads lie until a run takes them over."""
    return runs_root() / ".uploads"


def _path(upload) -> Path:
    """Where an upload lies on disk."""
    return spool_folder() / upload.file_id / safe_name(upload.name)


def _stored(upload) -> Path:
    """Its path, once it lies there; it is no longer in memory then."""
    path = _path(upload)
    if not path.is_file():
        _check_size(upload)
        partial = path.with_name(path.name + ".partial")
        upload.seek(0)
        _copy(upload, partial, upload.name)
        partial.replace(path)
    if upload.size:
        _release(upload)
    return path


def _check_size(upload) -> None:
    limit = access.settings().max_upload_bytes
    if limit is not None and upload.size > limit:
        raise SourceError(
            f"{upload.name} has {format_bytes(upload.size)}; this server takes files up to {format_bytes(limit)}. "
            "Upload fewer or smaller images, or ask the administrator to raise CFS_EXPLORE_MAX_UPLOAD_MB."
        )


def _copy(source: IO[bytes], path: Path, name: str) -> None:
    """Stream a file to a path; on a full disk nothing is left behind."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise RunError(f"{name} could not be stored ({error.strerror}). Free some disk space.") from error


def _release(upload) -> None:
    """Free the memory in which Streamlit would keep an upload until its visitor leaves."""
    upload.seek(0)
    upload.truncate()
    context = get_script_run_ctx()
    if context is not None:
        emptied = UploadedFileRec(upload.file_id, upload.name, upload.type, b"")
        context.uploaded_file_mgr.add_file(context.session_id, emptied)


def _link(source: Path, path: Path) -> None:
    """The same file under a second path, without a copy where the disk can."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.hardlink_to(source)
    except OSError:
        with source.open("rb") as file:
            _copy(file, path, path.name)


def _forget_old() -> None:
    """Remove uploads that were never used."""
    if not spool_folder().is_dir():
        return
    for folder in spool_folder().iterdir():
        with contextlib.suppress(OSError):  # taken over or removed meanwhile
            if time.time() - folder.stat().st_mtime > _KEEP_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
