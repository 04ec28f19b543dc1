"""How deep a pickle nests tuples, found without building them: torch's reader would overflow the C stack on some."""

from __future__ import annotations

import mmap
import pickletools
import struct
import zipfile
from pathlib import Path

from cfs_explore.backbones.restricted_values import Window
from cfs_explore.safe_io.bounded_reads import open_zip

#: Values in values; networks nest about 5, and hashing takes the C stack of a thread at some 50,000 tuples.
MOST = 20_000

#: Tensors of a torch file, and bytes of the directory of its zip.
_MOST_MEMBERS, _MAX_DIRECTORY_BYTES = 200_000, 64 * 2**20

#: A file from before torch's zip format: magic number, version and system come before the weights.
_STREAMS = 4

#: The instructions TUPLE, TUPLE1, TUPLE2 and TUPLE3: a stream with few such bytes needs no closer look.
_TUPLES = (b"t", b"\x85", b"\x86", b"\x87")

_MARK = object()


def nests_too_deep(path: Path) -> bool:
    """Whether a torch file nests tuples more than ``MOST`` deep. False for files that are damaged: no stack breaks."""
    if zipfile.is_zipfile(path):
        return _any_in_zip(path)
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as data,
    ):
        window = Window(data)
        return any(_is_deep(window) for _ in range(_STREAMS))


def _any_in_zip(path: Path) -> bool:
    size = path.stat().st_size
    try:
        with path.open("rb") as file, open_zip(file, _MOST_MEMBERS, _MAX_DIRECTORY_BYTES) as archive:
            entries = [e for e in archive.infolist() if e.filename.endswith("data.pkl") and e.file_size <= size]
            return any(
                _has_many_tuples(data) and _is_deep(Window(memoryview(data))) for data in map(archive.read, entries)
            )
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, EOFError, ValueError):
        return False


def _has_many_tuples(data: bytes) -> bool:
    return sum(map(data.count, _TUPLES)) > MOST


def _is_deep(stream: Window) -> bool:
    """Whether values nest deeper than ``MOST`` up to the pickle's end, or to where it stops making sense."""
    stack: list = []
    memo: dict[int, int] = {}
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            if "MEMOIZE" in opcode.name or "PUT" in opcode.name:
                memo[len(memo) if argument is None else int(argument)] = stack[-1]
            elif "GET" in opcode.name:
                stack.append(memo[int(argument)])
            else:
                _step(stack, opcode)
                if stack and stack[-1] is not _MARK and stack[-1] > MOST:
                    return True
    except (ValueError, LookupError, TypeError, struct.error, OverflowError, AttributeError):
        pass
    return False


def _step(stack: list, opcode: pickletools.OpcodeInfo) -> None:
    """Replace what an instruction takes by the depth of what it gives."""
    before, after = opcode.stack_before, opcode.stack_after
    taken: list[int] = []
    if pickletools.markobject in before:
        while (value := stack.pop()) is not _MARK:
            taken.append(value)
        before = before[: before.index(pickletools.markobject)]
    taken += [stack.pop() for _ in before]
    if after == [pickletools.markobject]:
        stack.append(_MARK)
    elif after:
        inside = max((value for value in taken if value is not _MARK), default=-1) + 1
        stack += [inside] * len(after)
