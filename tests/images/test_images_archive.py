"""Zip archives: what is listed, what is refused, and that nothing is written to the disk."""

import struct
import zipfile

import numpy as np
import pytest

from cfs_explore.errors import ImageError, SourceError
from cfs_explore.images import open_source, unpacking


@pytest.fixture
def image(encode_png) -> bytes:
    return encode_png(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))


def pack(path, members: dict[str, bytes], method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_unsafe_and_useless_members_are_listed_not_read(tmp_path, image):
    path = pack(
        tmp_path / "a.zip",
        {
            "birds/1.png": image,
            "../outside.png": image,
            "birds/../../up.png": image,
            "/etc/absolute.png": image,
            "C:\\drive.png": image,
            "win\\2.png": image,
            "__MACOSX/birds/._1.png": b"x",
            "birds/.DS_Store": b"x",
            "birds/Thumbs.db": b"x",
            "inner.zip": b"x",
            "readme.md": b"x",
        },
    )
    with open_source(path) as source:
        assert source.names == ["birds/1.png", "win/2.png"]
        assert [source.read(i).label for i in range(2)] == ["birds", "win"]
        reasons = dict(source.skipped)
    unsafe = {"../outside.png", "birds/../../up.png", "/etc/absolute.png", "C:/drive.png"}
    assert {name for name, reason in reasons.items() if reason == "unsafe path"} == unsafe
    assert set(reasons) - unsafe == {"inner.zip", "readme.md"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.zip"]


def test_empty_zip_and_zip_without_images(tmp_path):
    with pytest.raises(SourceError, match=r"^no images in [^ ]*empty\.zip: found no files; put image files into it\.$"):
        open_source(pack(tmp_path / "empty.zip", {}))
    with pytest.raises(SourceError, match=r"found 3 files, of which 2: not an image extension \(\.txt\); 1: archive"):
        open_source(pack(tmp_path / "b.zip", {"a.txt": b"", "b.txt": b"", "c.tar": b""}))


def test_encrypted_members_are_skipped(tmp_path, image):
    path = pack(tmp_path / "a.zip", {"a.png": image, "b.png": image})
    data = bytearray(path.read_bytes())
    central = data.index(b"PK\x01\x02")
    data[central + 8] |= 1  # general purpose flag, bit 0
    path.write_bytes(data)
    with open_source(path) as source:
        assert source.names == ["b.png"]
        assert source.skipped == [("a.png", "encrypted")]


def test_other_compression_methods_and_repeated_names_are_skipped(tmp_path, image):
    path = pack(tmp_path / "a.zip", {"a.png": image}, zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_LZMA) as archive:
        archive.writestr("b.png", image)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.png", image, zipfile.ZIP_STORED)
    with open_source(path) as source:
        assert source.names == ["a.png"]
        assert [name for name, _ in source.skipped] == ["a.png", "b.png"]
        assert source.skipped[0][1] == "the same name twice"
        assert "allowed are stored and deflate" in source.skipped[1][1]


def test_members_that_claim_to_be_large_are_skipped(tmp_path, image):
    path = pack(tmp_path / "a.zip", {"a.png": image, "b.png": image})
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, 65 * 2**20)  # uncompressed size
    path.write_bytes(data)
    with open_source(path) as source:
        assert source.names == ["b.png"]
        assert source.skipped == [("a.png", "larger than 64 MiB")]


def test_size_is_checked_while_reading_too(tmp_path, image, monkeypatch):
    path = pack(tmp_path / "a.zip", {"a.png": image})
    with open_source(path) as source:
        monkeypatch.setattr("cfs_explore.images.decode.MAX_ENCODED_BYTES", len(image) - 1)
        with pytest.raises(ImageError, match=r"a\.png: .* MiB; allowed"):
            source.read(0)


def test_a_bomb_is_refused(tmp_path, monkeypatch):
    path = pack(tmp_path / "a.zip", {f"{i}.png": bytes(2**20) for i in range(8)}, zipfile.ZIP_DEFLATED)
    open_source(path).close()
    monkeypatch.setattr(unpacking, "RATIO_FREE_BYTES", 2**20)
    with pytest.raises(SourceError, match="decompression bomb"):
        open_source(path)


def test_too_many_members(tmp_path, image, monkeypatch):
    monkeypatch.setattr(unpacking, "MAX_MEMBERS", 2)
    with pytest.raises(SourceError, match="holds more than 2 members, which is the most"):
        open_source(pack(tmp_path / "a.zip", {f"{i}.png": image for i in range(3)}))


def test_damaged_archives(tmp_path, image):
    path = pack(tmp_path / "a.zip", {"a.png": image, "b.png": image})
    data = path.read_bytes()
    for name, damaged in (("cut", data[: len(data) // 2]), ("text", b"hello"), ("nothing", b"")):
        broken = tmp_path / f"{name}.zip"
        broken.write_bytes(damaged)
        with pytest.raises(SourceError, match=rf"{name}\.zip is not a readable zip archive"):
            open_source(broken)


def test_a_damaged_member_is_an_image_error(tmp_path, image):
    path = pack(tmp_path / "a.zip", {"a.png": image, "b.png": image})
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 6] ^= 255
    path.write_bytes(data)
    with open_source(path) as source:
        with pytest.raises(ImageError, match=r"^a\.png: damaged inside the archive"):
            source.read(0)
        assert source.read(1).width == 4


def test_links_and_devices_are_skipped(tmp_path, image):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, mode in (("link.png", 0o120777), ("fifo.png", 0o010644), ("plain.png", 0o100644)):
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, b"/etc/passwd" if name == "link.png" else image)
    with open_source(tmp_path / "a.zip") as source:
        assert source.names == ["plain.png"]
        assert source.skipped == [("fifo.png", "device"), ("link.png", "link")]


def test_names_that_differ_in_case_or_normalisation_stay_apart(tmp_path, encode_png):
    names = ("A.png", "a.png", "a.PNG", "u\u0308.png", "\u00fc.png")
    members = {name: encode_png(np.full((2, 2), i, np.uint8)) for i, name in enumerate(names)}
    with open_source(pack(tmp_path / "a.zip", members)) as source:
        assert source.names == ["A.png", "a.PNG", "a.png", "u\u0308.png", "\u00fc.png"]
        assert [source.read(i).pixels[0, 0, 0] for i in range(5)] == [0, 2, 1, 3, 4]


def test_a_directory_of_many_mebibytes_is_not_read(tmp_path, image, monkeypatch):
    monkeypatch.setattr("cfs_explore.images.archive._MAX_DIRECTORY_BYTES", 70_000)
    path = pack(tmp_path / "a.zip", {f"{i:0200d}.png": image for i in range(400)})
    with pytest.raises(SourceError, match="a header of more than 70,000 bytes"):
        open_source(path)
