"""The name of the codec that an image file is stored in, which says whether it loses anything."""

from __future__ import annotations

import struct

from PIL import Image

#: Of formats that can be either, what is not as usual: WebP is mostly lossy, TIFF mostly lossless.
LOSSLESS_WEBP, JPEG_IN_TIFF = "lossless WEBP", "TIFF (JPEG)"
_FRAME, _FRAME_HEADER = b"ANMF", 16
#: What may stand before the first picture is far less.
_MOST_CHUNKS = 64


def codec_of(image: Image.Image, data: bytes) -> str:
    """Pillow's name of the format, made to say what is lost: "WEBP" is lossy, "lossless WEBP" is not.

    Args:
        image: opened.
        data: the file's bytes.
    """
    if image.format == "MPO":  # a phone's multi-picture JPEG
        return "JPEG"
    if image.format == "WEBP" and _is_lossless_webp(data):
        return LOSSLESS_WEBP
    if image.format == "TIFF" and image.info.get("compression") in ("jpeg", "tiff_jpeg"):
        return JPEG_IN_TIFF
    return image.format


def _is_lossless_webp(data: bytes) -> bool:
    """Whether the first picture is lossless: the chunk VP8L, not VP8 (RFC 9649, section 2)."""
    at = 12  # "RIFF", size, "WEBP"
    for _ in range(_MOST_CHUNKS):
        if at + 8 > len(data):
            break
        name, size = struct.unpack_from("<4sI", data, at)
        if name in (b"VP8L", b"VP8 "):
            return name == b"VP8L"
        at += 8 + (_FRAME_HEADER if name == _FRAME else size + size % 2)
    return False
