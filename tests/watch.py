"""What Python does while hostile files are read: nothing of them is run or unpickled, nothing is written elsewhere."""

import contextlib
import os
import sys
import tempfile

_RUNS = {
    "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile", "subprocess.Popen",
    "pickle.find_class", "shutil.unpack_archive", "socket.connect",
}  # fmt: skip
#: Audit event -> the arguments that are paths which it changes.
_CHANGES = {
    "os.mkdir": [0], "os.rename": [0, 1], "os.remove": [0], "os.rmdir": [0], "os.link": [1], "os.symlink": [1],
    "os.truncate": [0], "os.chmod": [0], "os.chown": [0], "os.utime": [0], "shutil.rmtree": [0],
}  # fmt: skip
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_watching: list[tuple[str, list]] = []


def _hook(event: str, arguments: tuple) -> None:
    if not _watching:
        return
    home, seen = _watching[-1]
    if event in _RUNS:
        seen.append((event, arguments[:2]))
    elif event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES:
        if not getattr(os, "O_TMPFILE", 0) or arguments[2] & os.O_TMPFILE != os.O_TMPFILE:
            _check(event, arguments[0], home, seen)
    elif event in _CHANGES:
        relative = arguments[-1:] not in ((-1,), (None,))  # to an open folder, unless the path is absolute
        for position in _CHANGES[event]:
            _check(event, arguments[position], home, seen, relative)


def _check(event: str, path: object, home: str, seen: list, relative: bool = False) -> None:
    if isinstance(path, int) or (relative and not os.path.isabs(os.fsdecode(path))):
        return
    place = os.path.abspath(os.fsdecode(path))
    temporary = tempfile.gettempdir()  # which is itself what is opened where files can be nameless
    ours = place == home or place.startswith((home + os.sep, os.path.join(temporary, "cfs-explore-")))
    if not (ours or place in (temporary, os.devnull) or "__pycache__" in place):
        seen.append((event, place))


sys.addaudithook(_hook)


@contextlib.contextmanager
def watched(home):
    """Fail where something is run, unpickled, fetched, or written outside of ``home`` (nameless files may be)."""
    seen: list = []
    _watching.append((os.path.abspath(home), seen))
    try:
        yield
    finally:
        _watching.pop()
        assert not seen, f"while hostile files were read: {seen}"
