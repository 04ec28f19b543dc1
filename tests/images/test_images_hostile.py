"""Files that are not what their name says: none is run, shown or half read; whole sets go on without them."""

import gzip
import io
import os
import pickle
import struct
import tarfile
import tempfile
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
from image_kinds import everything_below, tar_of
from PIL import Image
from watch import watched

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
def test_what_is_no_image_is_reported_by_name(name):
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
    data = zeros_png(12_000)
    assert len(data) < 200_000
    tracemalloc.start()
    with pytest.raises(ImageError, match=r"12000 x 12000 pixels|more than 100 megapixels"):
        decode(data, "bomb.png")
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def patched(codec: str, old: bytes, new: bytes, **options) -> bytes:
    """A small grey image of 4 x 3 whose header says another size."""
    buffer = io.BytesIO()
    Image.new("L", (4, 3)).save(buffer, codec, **options)
    assert buffer.getvalue().count(old) >= 1
    return buffer.getvalue().replace(old, new, 1)


BIG = 60_000
HEADERS = {
    "bmp": patched("BMP", struct.pack("<ii", 4, 3), struct.pack("<ii", BIG, BIG)),
    "gif": patched("GIF", b"GIF87a" + struct.pack("<HH", 4, 3), b"GIF87a" + struct.pack("<HH", BIG, BIG)),
    "gif, its frame": patched("GIF", struct.pack("<HHHH", 0, 0, 4, 3), struct.pack("<HHHH", 0, 0, BIG, BIG)),
    "jpeg": patched("JPEG", struct.pack(">HH", 3, 4) + b"\1", struct.pack(">HH", BIG, BIG) + b"\1"),
    "ppm": patched("PPM", b"4 3\n", b"%d %d\n" % (BIG, BIG)),
    "tiff": patched("TIFF", struct.pack("<HHII", 256, 4, 1, 4), struct.pack("<HHII", 256, 4, 1, BIG * BIG)),
    "webp": b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + (b"\xff\x3f\0") * 2 + bytes(40),
}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("kind", HEADERS)
def test_headers_that_claim_billions_of_pixels_take_no_memory(kind):
    tracemalloc.start()
    with pytest.raises(ImageError, match=r"^bomb: .*megapixels"):
        decode(HEADERS[kind], "bomb")
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


class Runs:
    """Unpickling this would run a command."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


PICKLES = ("a.pt", "a.pth", "a.ckpt", "a.pkl", "a.pickle", "a.joblib", "a.bin", "a.pkl.gz")


def pickled(marker, zipped: bool) -> bytes:
    """As pickle writes it, or torch.save."""
    data, buffer = pickle.dumps({"weights": Runs(marker)}, 2), io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", data)
    return buffer.getvalue() if zipped else data


@pytest.mark.parametrize("zipped", [False, True])
def test_pickles_are_no_images_whatever_they_are_called(tmp_path, zipped):
    data, folder = pickled(tmp_path / "ran", zipped), tmp_path / "set"
    folder.mkdir()
    with watched(folder):
        for name in (*PICKLES, "a.npy", "a.npz", "a.zip", "a.tar", "a.tar.gz", "a.parquet", "a.csv"):
            (folder / name).write_bytes(data)
            with pytest.raises(SourceError, match=f"{name} has an unknown kind" if name in PICKLES else name):
                open_source(folder / name)
        for name in ("renamed.png", "renamed.jpg"):
            (folder / name).write_bytes(data)
            with pytest.raises(ImageError, match=rf"^{name}: not an image"):
                open_source(folder / name).read(0)
        (folder / "in.tar").write_bytes(tar_of([(name, data) for name in PICKLES] + [("good.png", encoded())]))
        for given in (folder / "in.tar", {"files": [str(folder / name) for name in (*PICKLES, "renamed.png")]}):
            with open_source(given) as source:
                assert len(source) == 1 and {name for name, _ in source.skipped} == set(PICKLES)
    assert not (tmp_path / "ran").exists()


def test_the_watch_sees_what_it_looks_for(tmp_path):
    (tmp_path / "home").mkdir()
    calls = {
        "os.system": lambda: os.system("true"),
        "pickle.find_class": lambda: pickle.loads(pickle.dumps(np.dtype("u1"))),
        "open": lambda: (tmp_path / "outside").write_bytes(b""),
        "os.mkdir": lambda: (tmp_path / "folder").mkdir(),
        "os.symlink": lambda: (tmp_path / "link").symlink_to("/etc"),
        "os.rename": lambda: (tmp_path / "home" / "inside").rename(tmp_path / "moved"),
    }
    with watched(tmp_path / "home"), tempfile.TemporaryFile(prefix="cfs-explore-"):
        (tmp_path / "home" / "inside").write_bytes(b"")
    for event, call in calls.items():
        with pytest.raises(AssertionError, match=event), watched(tmp_path / "home"):
            call()
    assert "moved" in everything_below(tmp_path).__str__()


def test_a_png_with_a_text_bomb_is_an_error():
    """A compressed comment of 64 MiB: Pillow bounds what it unpacks."""
    comment = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(64 * 2**20), 9))
    data = encoded()
    with pytest.raises(ImageError, match=r"^bomb\.png: "):
        decode(data[:33] + comment + data[33:], "bomb.png")


def zip_directory(entries: int, *, zip64: bool = False, stated: int | None = None) -> bytes:
    """A zip of as many empty members as one likes, all in its directory only; the directory may state another count."""
    entry = b"PK\1\2" + bytes(42)
    size, stated = len(entry) * entries, entries if stated is None else stated
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, min(stated, 65_535), min(stated, 65_535), size, 0, 0)
    if zip64:
        record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, stated, stated, size, 0)
        locator = struct.pack("<4sLQL", b"PK\6\7", 0, size, 1)
        end = record + locator + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65_535, 65_535, 2**32 - 1, 2**32 - 1, 0)
    return entry * entries + end


@pytest.mark.parametrize("zip64", [False, True])
@pytest.mark.parametrize("stated", [None, 1])
def test_a_zip_of_a_million_members_is_refused_by_its_directory(tmp_path, zip64, stated):
    """What zipfile would make of them takes ten times their bytes."""
    path = tmp_path / "a.zip"
    path.write_bytes(zip_directory(1_000_000, zip64=zip64, stated=stated))
    tracemalloc.start()
    with pytest.raises(SourceError, match="holds more than 200,000 members"):
        open_source(path)
    assert tracemalloc.get_traced_memory()[1] < 2 * path.stat().st_size
    tracemalloc.stop()
    path.rename(tmp_path / "a.npz")
    with pytest.raises(SourceError, match=r"a header of more than|more than 1,000 members"):
        open_source(tmp_path / "a.npz")


def tar_header(name: str, size: int, kind: bytes) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("size", [2**40, 2**62, 2**63 - 1, 2**64, 2**70, -512, -(2**62)])
@pytest.mark.parametrize("kind", [b"0", b"L", b"K", b"x", b"g", b"S", b"Z"])
@pytest.mark.parametrize("packed", [False, True])
def test_tar_headers_that_claim_more_than_there_is(tmp_path, size, kind, packed):
    member = tar_of([("a.png", encoded())]).rstrip(b"\0")
    data = member + bytes(-len(member) % 512) + tar_header("b.png", size, kind) + bytes(1024)
    path = tmp_path / "a.tar"
    path.write_bytes(gzip.compress(data) if packed else data)
    tracemalloc.start()
    with pytest.raises(SourceError, match="is not a readable tar archive") as caught:
        open_source(path)
    assert "Errno" not in str(caught.value) and "cannot fit" not in str(caught.value)
    assert tracemalloc.get_traced_memory()[1] < 3 * 2**20
    tracemalloc.stop()
