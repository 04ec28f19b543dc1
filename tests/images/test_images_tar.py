"""Tar archives: what is listed, what is refused, bombs, and that nothing is written under a member's name."""

import gzip
import io
import os
import struct
import tarfile
import tempfile
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from image_kinds import everything_below, tar_of

from cfs_explore.errors import ImageError, SourceError
from cfs_explore.images import open_source, unpacking


@pytest.fixture
def image(encode_png) -> bytes:
    return encode_png(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))


@pytest.fixture
def spools(tmp_path, monkeypatch):
    """A folder for temporary files of its own."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def write(path, data: bytes):
    path.write_bytes(data)
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_unsafe_special_and_useless_members_are_listed_not_read(tmp_path, image):
    members = [
        ("./birds/1.png", image),
        ("../outside.png", image),
        ("birds/../../up.png", image),
        ("/etc/absolute.png", image),
        ("C:\\drive.png", image),
        ("win\\2.png", image),
        ("__MACOSX/birds/._1.png", b"x"),
        ("inner.tar.gz", b"x"),
        ("inner.zip", b"x"),
        ("readme.md", b"x"),
        special("soft.png", tarfile.SYMTYPE, "/etc/passwd"),
        special("hard.png", tarfile.LNKTYPE, "birds/1.png"),
        special("fifo.png", tarfile.FIFOTYPE),
        special("disk.png", tarfile.BLKTYPE),
        special("tty.png", tarfile.CHRTYPE),
        special("birds", tarfile.DIRTYPE),
        special(".", tarfile.DIRTYPE),
        special("../up", tarfile.DIRTYPE),
    ]
    path = write(tmp_path / "a.tar", tar_of(members))
    before = everything_below(tmp_path)
    with open_source(path) as source:
        assert source.kind == "tar" and source.names == ["birds/1.png", "win/2.png"]
        assert [source.read(i).label for i in range(2)] == ["birds", "win"]
    unsafe = ("../outside.png", "birds/../../up.png", "/etc/absolute.png", "C:/drive.png", "../up/")
    assert dict(source.skipped) == {
        **dict.fromkeys(unsafe, "unsafe path"),
        **dict.fromkeys(("soft.png", "hard.png"), "link"),
        **dict.fromkeys(("fifo.png", "disk.png", "tty.png"), "device"),
        "inner.tar.gz": "archive inside (.gz), not opened",
        "inner.zip": "archive inside (.zip), not opened",
        "readme.md": "not an image extension (.md)",
    }
    assert everything_below(tmp_path) == before


def test_sparse_members_are_skipped(tmp_path, image):
    info = tarfile.TarInfo("holes.png")
    info.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": "1000000000"}
    path = write(tmp_path / "a.tar", tar_of([("a.png", image), info]))
    with open_source(path) as source:
        assert (source.names, source.skipped) == (["a.png"], [("holes.png", "sparse file")])


def test_names_that_differ_in_case_or_normalisation_stay_apart(tmp_path, encode_png):
    names = ["a.png", "A.png", unicodedata.normalize("NFC", "ü.png"), unicodedata.normalize("NFD", "ü.png"), "a.png"]
    images = [encode_png(np.full((2, 2), i, np.uint8)) for i in range(5)]
    path = write(tmp_path / "a.tar", tar_of(list(zip(names, images, strict=True))))
    with open_source(path) as source:
        assert len(set(source.names)) == len(source) == 4
        assert sorted(source.read(i).pixels[0, 0, 0] for i in range(4)) == [0, 1, 2, 3]
        assert source.skipped == [("a.png", "the same name twice")]


def test_too_many_members_and_long_headers(tmp_path, image, monkeypatch):
    long_header = tarfile.TarInfo("a.png")
    long_header.pax_headers = {"comment": "x" * 2**20}
    with pytest.raises(SourceError, match="a header of more than"):
        open_source(write(tmp_path / "long.tar", tar_of([long_header])))
    name = tarfile.TarInfo("n" * 150).tobuf(tarfile.GNU_FORMAT)[:1024]  # a long name, without the member it is for
    chain = name * 2000
    with pytest.raises(SourceError, match="not a readable tar archive"):
        open_source(write(tmp_path / "chain.tar", chain))
    monkeypatch.setattr(unpacking, "MAX_MEMBERS", 2)
    with pytest.raises(SourceError, match="more than 2 members"):
        open_source(write(tmp_path / "many.tar", tar_of([(f"{i}.png", image) for i in range(3)])))


@pytest.mark.parametrize("where", ["header", "content", "boundary"])
def test_damage_in_the_middle_is_reported(tmp_path, image, where):
    data = bytearray(tar_of([(f"{i}.png", image) for i in range(3)], tarfile.USTAR_FORMAT))
    second = data.index(b"1.png")
    if where == "header":
        data[second + 110] ^= 1  # tarfile by itself would end the listing here, without a word
    else:
        del data[second + (530 if where == "content" else 100) :]
    with pytest.raises(SourceError, match=r"a\.tar is not a readable tar archive"):
        open_source(write(tmp_path / "a.tar", bytes(data)))


def test_a_size_that_is_a_lie(tmp_path, image):
    for size in (2**33 - 1, 65 * 2**20):
        info = tarfile.TarInfo("a.png")
        info.size = size
        with pytest.raises(SourceError, match="not a readable tar"):
            open_source(write(tmp_path / "a.tar", info.tobuf(tarfile.USTAR_FORMAT) + image))


def test_members_that_are_too_large_are_skipped(tmp_path, image):
    with open(tmp_path / "a.tar", "wb") as file:
        file.write(tar_of([("a.png", image)])[:1024])
        info = tarfile.TarInfo("large.png")
        info.size = 65 * 2**20
        file.write(info.tobuf())
        file.seek(info.size, os.SEEK_CUR)
        file.write(bytes(1024))
    with open_source(tmp_path / "a.tar") as source:
        assert (source.names, source.skipped) == (["a.png"], [("large.png", "larger than 64 MiB")])


@pytest.mark.parametrize("packer", ["gz", "zst", "bz2"])
def test_compressed_ones_leave_no_file_behind(tmp_path, image, spools, packer):
    data = tar_of([(f"c/{i}.png", image) for i in range(3)])
    path = write(tmp_path / f"a.tar.{packer}", compress(data, packer))
    before = everything_below(tmp_path)
    source = open_source(path)
    assert source.read(2).label == "c"
    source.close()
    assert everything_below(tmp_path) == before
    for cut in (path.read_bytes()[:-9], path.read_bytes()[: len(path.read_bytes()) // 2]):
        with pytest.raises(SourceError, match="not a readable tar archive"):
            open_source(write(path, cut))
    assert everything_below(tmp_path) == before


def compress(data: bytes, packer: str) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, {"gz": "gzip", "zst": "zstd", "bz2": "bz2"}[packer]) as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("packer", ["gz", "zst"])
def test_a_bomb_is_refused_while_it_unpacks(tmp_path, spools, monkeypatch, packer):
    path = write(tmp_path / f"a.tar.{packer}", compress(bytes(64 * 2**20), packer))
    monkeypatch.setattr(unpacking, "RATIO_FREE_BYTES", 8 * 2**20)
    written = []
    monkeypatch.setattr(unpacking, "_write", lambda spool, part, location: written.append(len(part)))
    with pytest.raises(SourceError, match="decompression bomb"):
        open_source(path)
    assert sum(written) == 8 * 2**20  # not the 64 MiB that it holds
    assert list(spools.iterdir()) == []


def test_too_much_to_unpack_and_a_full_disk(tmp_path, image, spools, monkeypatch):
    path = write(tmp_path / "a.tar.gz", gzip.compress(tar_of([("a.png", image)])))
    monkeypatch.setattr(unpacking, "MAX_UNPACKED_BYTES", 2000)
    with pytest.raises(SourceError, match="Unpack it and open what it holds"):
        open_source(path)
    monkeypatch.undo()

    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **options: Full())
    with pytest.raises(SourceError, match=r"disk full while unpacking .* set the environment variable TMPDIR"):
        open_source(path)


def test_xz_and_other_content_are_refused_by_name(tmp_path):
    with pytest.raises(SourceError, match="packed with xz, which is not read; allowed are gzip, zstd, bzip2"):
        open_source(write(tmp_path / "a.tar.xz", b"\xfd7zXZ\x00rest"))
    for data in (b"", b"hello", struct.pack(">Q", 1) * 200):
        with pytest.raises(SourceError, match=r"b\.tar is not a readable tar archive"):
            open_source(write(tmp_path / "b.tar", data))
    with pytest.raises(SourceError, match=r"no images in .*c\.tar: found no files"):
        open_source(write(tmp_path / "c.tar", bytes(1024)))
    with pytest.raises(SourceError, match=r"unknown kind \(\.gz\)"):
        open_source(write(tmp_path / "a.gz", b"x"))


def test_the_packing_is_recognised_by_the_content(tmp_path, image):
    data = tar_of([("a.png", image)])
    assert len(open_source(write(tmp_path / "a.tar", gzip.compress(data)))) == 1
    assert len(open_source(write(tmp_path / "b.tar.gz", data))) == 1


def test_a_member_that_vanished_is_an_image_error(tmp_path, image):
    path = write(tmp_path / "a.tar", tar_of([(f"{i:02d}.png", image) for i in range(40)]))
    with open_source(path) as source:
        os.truncate(path, 540)
        with pytest.raises(ImageError, match=r"00\.png: damaged inside the archive \(it ends after 28 bytes\)"):
            source.read(0)
