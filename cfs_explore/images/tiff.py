"""What a TIFF says of its numbers that Pillow does not apply: whether 0 is white, and whether they have a sign."""

from __future__ import annotations

import struct

from PIL import Image

_PHOTOMETRIC, _SAMPLE_FORMAT, _SIGNED = 262, 339, 2
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_SHORT = 3


def is_white_at_zero(image: Image.Image) -> bool:
    """Whether 0 is white in a TIFF whose numbers Pillow leaves as they are, those of more than 8 bits."""
    return image.format == "TIFF" and image.tag_v2.get(_PHOTOMETRIC) == 0


def is_signed_byte(image: Image.Image) -> bool:
    """Whether 8-bit numbers stand for -128 to 127, which Pillow takes for 0 to 255."""
    if image.format != "TIFF" or image.mode not in ("L", "P"):
        return False
    return _SIGNED in tuple(image.tag_v2.get(_SAMPLE_FORMAT) or ())


def black_at_zero(data: bytes) -> bytes | None:
    """The same file said to be black at 0; None where it is no TIFF, or does not say that it is white at 0.

    Pillow knows some numbers, such as 16 bit with the high byte first, with black at 0 alone. Only the first page is
    looked at.
    """
    order = _ORDERS.get(data[:4])
    if order is None or len(data) < 8:
        return None
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    if start + 2 > len(data):
        return None
    (count,) = struct.unpack_from(f"{order}H", data, start)
    for at in range(start + 2, min(start + 2 + 12 * count, len(data) - 11), 12):
        tag, kind, _, value = struct.unpack_from(f"{order}HHIH", data, at)
        if tag == _PHOTOMETRIC and kind == _SHORT and value == 0:
            return data[: at + 8] + struct.pack(f"{order}H", 1) + data[at + 10 :]
    return None
