"""What a command writes: looked at before its work begins, and one clear line where it cannot be written."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cfs_explore.errors import OutputError, RunError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


@dataclass(frozen=True)
class Output:
    """A place that a command writes to; a parser's default ``writes`` is a function of the options that gives it.

    Attributes:
        path: of the file or folder. Folders above it are made.
        is_folder: whether it is a folder.
        resumes: what is in it stays when the command fails, and the same command goes on, as its own errors say.
    """

    path: Path
    is_folder: bool = False
    resumes: bool = False


@contextlib.contextmanager
def written(output: Output | None) -> Iterator[None]:
    """Around the work of a command that writes there; None: it writes nothing.

    Raises:
        OutputError: it cannot be written. Errors of other files, such as those that are read, stay what they are.
    """
    if output is None:
        yield
        return
    _check(output)
    try:
        yield
    except (OSError, RunError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if isinstance(cause, OSError) and not (output.resumes and output.path.is_dir()):
            place = _place(output, cause)
            if place is not None:
                raise OutputError(_refusal(output.path, place, cause, place.parent)) from error
        raise


def _check(output: Output) -> None:
    """Whether it can be written, before hours of work; nothing is left of the trial."""
    path = output.path
    if not output.is_folder and os.path.isdir(path):
        raise OutputError(f"{path} is a folder. Give the name of a file, such as {path / 'name'}{path.suffix}.")
    if output.is_folder and os.path.exists(path) and not os.path.isdir(path):
        raise OutputError(f"{path} is a file. Give the name of a folder.")
    above = next(folder for folder in (path, *path.absolute().parents) if os.path.exists(folder) and folder != path)
    if not os.path.isdir(above):
        raise OutputError(f"{path} cannot be written: {above} is a file, no folder. Give another place.")
    folder = path if output.is_folder and os.path.isdir(path) else above
    if (output.resumes and folder == path) or (os.access(path, os.W_OK) and not output.is_folder):
        return
    try:
        with tempfile.TemporaryDirectory(dir=folder):
            pass
    except OSError as error:
        raise OutputError(_refusal(path, path, error, folder)) from error


def _place(output: Output, error: OSError) -> Path | None:
    """The file or folder of the output that an error is about; None where it is about something else."""
    whole = output.path.absolute()
    for name in (error.filename2, error.filename):
        if isinstance(name, str):
            place = Path(name.removesuffix(".partial"))
            if place.absolute().is_relative_to(whole):
                return place
            if whole.is_relative_to(place.absolute()):
                return output.path
    no_name = error.filename is None and error.errno in (*_FULL, *_READ_ONLY, errno.EIO, errno.EFBIG)
    return output.path if no_name else None


def _refusal(path: Path, place: Path, error: OSError, folder: Path) -> str:
    """What stands in the way of a place in an output, in the folder that refused, and the remedy."""
    if error.errno in _FULL:
        return f"{place} cannot be written: the disk is full. Free some space, or give another place."
    if error.errno in _READ_ONLY:
        return (
            f"{place} cannot be written: {folder} is read-only for this program. Give it the right to write there, or "
            "give another place."
        )
    if place != path and place.is_dir():
        return f"{place} is a folder, where a file is to be written. Take it away, or give another place."
    return f"{place} cannot be written ({error.strerror or error}). Give another place."
