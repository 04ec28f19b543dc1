"""Files that are not what their name says: none is run, shown or half read; whole sets go on without them."""

import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from cfs_explore.errors import ImageError, SourceError
from cfs_explore.images import open_source
from cfs_explore.images.decode import decode


def encoded(codec: str = "PNG", side: int = 40) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 256, (side, side, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, codec)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def zeros_png(side: int) -> bytes:
    """A PNG of side x side zeros: a thousandth of its pixels' size."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(bytes(side + 1)) for _ in range(side)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", data) + chunk(b"IEND", b"")


SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(2)</script></svg>'
NOT_IMAGES = {
    "page.gif": b"GIF89a/*<html><script>alert(1)</script></html>*/=1;",
    "page.png": b"<!DOCTYPE html><script>alert(1)</script>",
    "drawing.png": SVG,
    "script.jpg": b"#!/bin/sh\ntouch /tmp/pwned\n",
    "program.jpg": b"MZ" + bytes(400),
    "library.png": b"\x7fELF" + bytes(400),
    "pickle.png": b"\x80\x04cposix\nsystem\n(S'true'\ntR.",
    "document.jpg": b"%PDF-1.7\n" + bytes(100),
    "postscript.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    "empty.png": b"",
    "signature.png": b"\x89PNG\r\n\x1a\n",
    "text.jpg": b"Hello. " * 100,
}


@pytest.mark.parametrize("name", NOT_IMAGES)
def test_what_is_no_image_is_told_by_its_name(name):
    with pytest.raises(ImageError, match=f"^{name}: "):
        decode(NOT_IMAGES[name], name)


def test_a_set_goes_on_without_them(tmp_path):
    for name, data in {**NOT_IMAGES, "good.png": encoded(), "drawing.svg": SVG}.items():
        (tmp_path / name).write_bytes(data)
    good = []
    with open_source(tmp_path) as source:
        assert source.skipped == [("drawing.svg", "not an image extension (.svg)")]
        for i in range(len(source)):
            try:
                good.append(source.read(i).name)
            except ImageError:
                continue
    assert good == ["good.png"]


def test_a_png_that_is_also_a_zip_is_a_png(tmp_path):
    """Python's zipfile opens it; by its name it is an image, and only its pixels are read."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../../evil.py", "raise SystemExit")
    path = tmp_path / "both.png"
    path.write_bytes(encoded() + packed.getvalue())
    assert zipfile.is_zipfile(path)
    with open_source(path) as source:
        assert (source.kind, len(source), source.read(0).format) == ("file", 1, "PNG")
    assert source.read(0).image_id == decode(encoded(), "plain").image_id
    path.rename(tmp_path / "both.zip")
    with pytest.raises(SourceError, match=r"no images in .*unsafe path"):
        open_source(tmp_path / "both.zip")


@pytest.mark.filterwarnings("ignore:Truncated File Read")
@pytest.mark.parametrize("codec", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
def test_cut_anywhere_it_is_an_error_or_the_whole_image(codec):
    """A file may end in what decoders do not need; what is given is never half an image."""
    data = encoded(codec)
    whole = decode(data, "a").image_id
    for kept in np.linspace(0, len(data) - 1, 60, dtype=int):
        try:
            record = decode(data[:kept], "cut")
        except ImageError:
            continue
        assert record.image_id == whole and kept > len(data) - 16


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_png_bomb_is_refused_by_its_header():
    import tracemalloc

    data = zeros_png(12_000)
    assert len(data) < 200_000
    tracemalloc.start()
    with pytest.raises(ImageError, match=r"12000 x 12000 pixels|more than 100 megapixels"):
        decode(data, "bomb.png")
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_a_png_with_a_text_bomb_is_an_error():
    """A compressed comment of 64 MiB: Pillow bounds what it unpacks."""
    comment = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(64 * 2**20), 9))
    data = encoded()
    with pytest.raises(ImageError, match=r"^bomb\.png: "):
        decode(data[:33] + comment + data[33:], "bomb.png")
