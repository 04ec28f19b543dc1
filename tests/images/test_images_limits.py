"""The limits as they are, met by files that reach them: ten gigabytes of zeros, 200,000 members; and none there."""

import gzip
import io
import os
import tracemalloc
import zipfile
import zlib

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from watch import watched

from cfs_explore.errors import SourceError
from cfs_explore.images import open_source, unpacking
from cfs_explore.images.decode import decode

pytestmark = pytest.mark.slow

GIB, PIECE = 2**30, 2**26
PIECES = 160  # of 64 MiB: 10 GiB
MEMBERS = 200_000


def zip_that_claims(path, members: list[tuple[str, int]], packed: bytes = b"", offset: int | None = None):
    """A zip whose members have these names and unpacked sizes, all packed as the same bytes.

    Args:
        offset: where the header of every member is said to be; None: each has its own.
    """
    with zipfile.ZipFile(path, "w", allowZip64=True) as archive:
        for name, size in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.file_size, info.compress_size, info.CRC = size, len(packed), 0
            info.header_offset = archive.fp.tell() if offset is None else offset
            if offset is None:
                archive.fp.write(info.FileHeader() + packed)
            archive.filelist.append(info)
        archive.start_dir, archive._didModify = archive.fp.tell(), True
    return path


def deflated(pieces: int) -> bytes:
    """So many pieces of zeros as one deflate stream."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = packer.compress(bytes(PIECE)) + packer.flush(zlib.Z_FULL_FLUSH)
    return piece * pieces + packer.flush()


@pytest.fixture
def written(monkeypatch):
    """Bytes that would have gone to the disk."""
    sizes = []
    monkeypatch.setattr(unpacking, "_write", lambda spool, part, location: sizes.append(len(part)))
    return sizes


@pytest.mark.parametrize("packer", ["gz", "zst"])
def test_ten_gigabytes_of_zeros_in_a_tar(tmp_path, written, packer):
    if packer == "gz":
        piece = gzip.compress(bytes(PIECE))
    else:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as stream:
            stream.write(bytes(PIECE))
        piece = sink.getvalue().to_pybytes()
    path = tmp_path / f"zeros.tar.{packer}"
    path.write_bytes(piece * PIECES)
    assert path.stat().st_size < 2**24
    with watched(tmp_path), pytest.raises(SourceError, match="decompression bomb"):
        open_source(path)
    assert sum(written) == GIB


def test_ten_gigabytes_of_zeros_in_an_npz(tmp_path, written):
    path = zip_that_claims(tmp_path / "zeros.npz", [("images.npy", PIECE * PIECES)], deflated(PIECES))
    with watched(tmp_path), pytest.raises(SourceError, match="decompression bomb"):
        open_source(path)
    assert sum(written) == GIB


def test_ten_gigabytes_of_zeros_in_a_zip(tmp_path):
    packed = deflated(1)
    many = [(f"{i}.png", PIECE) for i in range(PIECES)]
    with pytest.raises(SourceError, match=r"decompression bomb"):
        open_source(zip_that_claims(tmp_path / "many.zip", many, packed))
    with pytest.raises(SourceError, match=r"no images in .*: found 1 file, of which 1: larger than 64 MiB"):
        open_source(zip_that_claims(tmp_path / "one.zip", [("zeros.png", PIECE * PIECES)], packed))


def test_two_hundred_thousand_tiny_members_and_one_more(tmp_path):
    members = [(f"{i}.png", 1) for i in range(MEMBERS + 1)]
    with open_source(zip_that_claims(tmp_path / "a.zip", members[1:], offset=0)) as source:
        assert len(source) == MEMBERS and source.skipped == []
    with pytest.raises(SourceError, match="more than 200,000 members"):
        open_source(zip_that_claims(tmp_path / "b.zip", members, offset=0))


def test_more_members_of_a_folder_and_lines_of_a_list_than_an_archive_may_have(tmp_path, monkeypatch):
    """With a tenth of the limit: it takes half a minute to make so many files, and seconds to read them."""
    few = MEMBERS // 10
    monkeypatch.setattr(unpacking, "MAX_MEMBERS", few)
    image = io.BytesIO()
    Image.new("L", (4, 4)).save(image, "PNG")
    for name in "ab":
        (tmp_path / "set" / name).mkdir(parents=True)
        (tmp_path / "set" / name / "0.png").write_bytes(image.getvalue())
        for i in range(1, few // 2 + 1):
            os.link(tmp_path / "set" / name / "0.png", tmp_path / "set" / name / f"{i}.png")
    (tmp_path / "list.txt").write_text("".join(f"{'ab'[i % 2]}/0.png {i % 2}\n" for i in range(few + 2)))
    for given in (tmp_path / "set", {"imglist": tmp_path / "list.txt", "root": tmp_path / "set"}):
        with open_source(given) as source:
            assert len(source) == few + 2 and source.skipped == []
        for half in ("first", "second"):
            with open_source(given, half=half, limit=2000) as source:
                assert len(source) == 2000 and source.read(1999).pixels.shape == (4, 4, 1)
                assert 0.4 < source.labels().count(source.labels()[0]) / 2000 < 0.6


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "I;16"])
def test_large_images_take_little_more_memory_than_their_pixels(mode):
    shape = {"RGB": (3000, 3000, 3), "RGBA": (3000, 3000, 4), "I;16": (3000, 3000)}[mode]
    stream = io.BytesIO()
    Image.fromarray(np.full(shape, 7, np.uint16 if mode == "I;16" else np.uint8)).save(stream, "TIFF")
    tracemalloc.start()
    try:
        decode(stream.getvalue(), "large.tiff", declared=None if mode == "RGBA" else (0, 255))
        assert tracemalloc.get_traced_memory()[1] < 200 * 2**20
    finally:
        tracemalloc.stop()
