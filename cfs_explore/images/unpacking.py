"""Reading what is packed without being buried by it: bounded reads, bounded unpacking, no name on the disk."""

from __future__ import annotations

import errno
import tempfile
from typing import BinaryIO, Protocol

from ..errors import SourceError

MAX_MEMBERS = 200_000
#: What unpacks to more than RATIO_FREE_BYTES and to more than MAX_RATIO times its own size is refused.
MAX_RATIO = 100
RATIO_FREE_BYTES = 2**30
#: What needs more room than this while it is open has to be unpacked by the user.
MAX_UNPACKED_BYTES = 64 * 2**30
_STEP = 2**20
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Readable(Protocol):
    """What ``unpack`` reads from."""

    def read(self, size: int, /) -> bytes: ...


def check_bomb(unpacked: int, packed: int, location: str) -> None:
    """Refuse what unpacks to a size that images do not reach.

    Args:
        unpacked, packed: bytes.
        location: how the message calls it.

    Raises:
        SourceError: it looks like a decompression bomb.
    """
    if unpacked > RATIO_FREE_BYTES and unpacked > MAX_RATIO * packed:
        raise SourceError(
            f"{location} unpacks to more than {MAX_RATIO} times its size ({unpacked / max(packed, 1):,.0f} times so "
            f"far); images reach at most that. It looks like a decompression bomb; if you trust it, unpack it and "
            "open what it holds."
        )


def unpack(stream: Readable, packed: int, location: str) -> BinaryIO:
    """Everything that a stream gives, in a nameless temporary file, which is gone once it is closed.

    Args:
        stream: read in steps of 1 MiB.
        packed: bytes of what it unpacks, for the ratio.
        location: how messages call it.

    Raises:
        SourceError: a bomb, more than 64 GiB, or no room in the folder for temporary files.
        What the stream raises on damage.
    """
    spool = tempfile.TemporaryFile(prefix="cfs-explore-")  # noqa: SIM115 - the caller's to close
    try:
        unpacked = 0
        while part := stream.read(_STEP):
            unpacked += len(part)
            check_bomb(unpacked, packed, location)
            if unpacked > MAX_UNPACKED_BYTES:
                raise SourceError(
                    f"{location} unpacks to more than {MAX_UNPACKED_BYTES // 2**30} GiB. Unpack it and open what it "
                    "holds."
                )
            _write(spool, part, location)
        spool.seek(0)
    except BaseException:
        spool.close()
        raise
    return spool


def _write(spool: BinaryIO, part: bytes, location: str) -> None:
    try:
        spool.write(part)
        spool.flush()
    except OSError as error:
        if error.errno not in _DISK_FULL:
            raise
        raise SourceError(
            f"disk full while unpacking {location} to {tempfile.gettempdir()}: free some space there, or set the "
            "environment variable TMPDIR to a folder with room."
        ) from error
