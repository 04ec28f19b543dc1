"""Files as the wild has them: 16 bit, TIFFs, names in a zip, tables and lists of every habit."""

import io
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from cfs_explore.errors import SourceError
from cfs_explore.images import open_source

CASES = Path(__file__).parent / "cases"
RAMP = np.arange(64, dtype=np.uint16).reshape(8, 8) * 65  # 12 bit
GREY = (np.arange(64, dtype=np.uint8) * 4).reshape(8, 8)


def png(pixels) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def tiff(values: np.ndarray, *, white_at_zero: bool = False, sample_format: int = 1) -> bytes:
    """A grey TIFF of one strip, in the byte order of the array."""
    order = ">" if values.dtype.byteorder == ">" else "<"
    height, width = values.shape
    bits, size = values.dtype.itemsize * 8, values.nbytes
    tags = [(256, 3, width), (257, 3, height), (258, 3, bits), (259, 3, 1), (262, 3, 0 if white_at_zero else 1),
            (273, 4, 8), (277, 3, 1), (278, 3, height), (279, 4, size), (339, 3, sample_format)]  # fmt: skip
    head = (b"MM\0*" if order == ">" else b"II*\0") + struct.pack(f"{order}I", 8 + size)
    entries = b"".join(
        struct.pack(f"{order}HHI", tag, kind, 1)
        + (struct.pack(f"{order}HH", value, 0) if kind == 3 else struct.pack(f"{order}I", value))
        for tag, kind, value in tags
    )
    return head + values.tobytes() + struct.pack(f"{order}H", len(tags)) + entries + bytes(4)


def read(folder: Path, content: bytes, name: str, **options):
    (folder / name).write_bytes(content)
    with open_source({"path": str(folder / name), **options}) as source:
        return source.read(0).pixels[..., 0], source.notes()


def test_twelve_bits_in_sixteen_are_said_and_a_range_reads_them(tmp_path):
    for i in range(3):
        (tmp_path / f"{i}.png").write_bytes(png(RAMP))
    with open_source(tmp_path) as source:
        [source.read(i) for i in range(3)]
        assert source.notes() == [
            "12-bit values in 16 bits, up to 4,095 of 65,535, make 3 images nearly black. If 4,095 is white, "
            "say so with the range [0, 4095]."
        ]
    with open_source({"path": str(tmp_path), "range": [0, 4095]}) as source:
        assert np.array_equal(source.read(0).pixels[..., 0], np.rint(RAMP / 4095 * 255)) and not source.notes()


def test_a_range_applies_to_archives_and_lists(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.png", png(RAMP))
    (tmp_path / "a.png").write_bytes(png(RAMP))
    (tmp_path / "a.txt").write_text("a.png 1\n")
    given = [
        {"path": str(tmp_path / "a.zip")},
        {"files": [str(tmp_path / "a.png")]},
        {"imglist": str(tmp_path / "a.txt")},
    ]
    for source in given:
        with open_source(source | {"range": [0, 4095]}) as opened:
            assert opened.read(0).pixels.max() == 255


def test_pages_are_left_out_with_a_note_or_become_images(tmp_path):
    pages = [Image.fromarray(GREY), Image.fromarray(255 - GREY), Image.fromarray(GREY // 2)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    first, notes = read(tmp_path, (tmp_path / "a.tif").read_bytes(), "b.tif")
    assert np.array_equal(first, GREY) and notes[0].startswith("2 pages left out")
    with open_source({"path": str(tmp_path / "a.tif"), "pages": "all"}) as source:
        assert source.names == ["a.tif page 1", "a.tif page 2", "a.tif page 3"] and not source.notes()
        assert np.array_equal(source.read(1).pixels[..., 0], 255 - GREY)
        assert [source.read(i).group for i in range(3)] == ["a.tif"] * 3
    with open_source({"path": str(write(tmp_path / "one.tif", tiff(GREY))), "pages": "all"}) as source:
        assert source.read(0).group == ""


def test_numbers_with_a_sign_are_asked_for(tmp_path):
    values = (GREY.astype(np.int16) - 128).astype(np.int8)
    content = tiff(values, sample_format=2)
    with (
        open_source(write(tmp_path / "a.tif", content)) as source,
        pytest.raises(Exception, match=r"sign.*\[-128, 127\]"),
    ):
        source.read(0)
    assert np.array_equal(read(tmp_path, content, "a.tif", range=[-128, 127])[0], GREY)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("kind", ["<u2", ">u2"])
def test_sixteen_bits_with_white_at_zero(tmp_path, kind):
    values = (GREY.astype(np.uint16) * 257).astype(kind)
    assert np.array_equal(read(tmp_path, tiff(values), "a.tif")[0], GREY)
    assert np.array_equal(read(tmp_path, tiff(values, white_at_zero=True), "b.tif")[0], 255 - GREY)


def test_floats_with_white_at_zero_and_a_little_outside(tmp_path):
    values = (GREY / 255).astype("<f4")
    assert np.array_equal(read(tmp_path, tiff(values, sample_format=3, white_at_zero=True), "a.tif")[0], 255 - GREY)
    values[0, 0] = -0.01
    found, notes = read(tmp_path, tiff(values, sample_format=3), "b.tif")
    assert (
        np.array_equal(found, GREY)
        and notes[0] == "Floats a little outside 0 to 1, as resizing makes them, were clipped in 1 image."
    )


def test_a_transparent_value_of_sixteen_bits_is_laid_on_white(tmp_path):
    content = png(GREY.astype(np.uint16) * 257)
    data = struct.pack(">H", 0)
    chunk = struct.pack(">I", 2) + b"tRNS" + data + struct.pack(">I", zlib.crc32(b"tRNS" + data))
    found, _ = read(tmp_path, content[:33] + chunk + content[33:], "a.png")
    assert found[0, 0] == 255 and np.array_equal(found.ravel()[1:], GREY.ravel()[1:])


NAMES = {
    "sjis.zip": ({"表": "表/1.png", "ソニー": "ソニー/2.png", "犬": "犬/3.png", "猫": "猫/ソ1.png"}, "cp932"),
    "sjisflag.zip": ({"猫": "猫/1.png", "a": "a/2.png"}, "cp932"),
    "utf8noflag.zip": ({"猫": "猫/1.png", "Größe": "Größe/2.png"}, ""),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_in_a_zip(name):
    wanted, encoding = NAMES[name]
    with open_source(CASES / name) as source:
        assert {source.read(i).label: source.names[i] for i in range(len(source))} == wanted
        assert [f"they are read as {encoding}." in note for note in source.notes()] == ([True] if encoding else [])


def zip_with(path: Path, names: dict[bytes, bytes]) -> Path:
    """A zip whose names are these bytes, with the extra fields given; placeholders of the same length are replaced."""
    stand = {f"{i:x}".rjust(len(name), "n").encode(): name for i, name in enumerate(names)}
    with zipfile.ZipFile(path, "w") as archive:
        for place, name in stand.items():
            info = zipfile.ZipInfo(place.decode())
            info.extra = names[name]
            archive.writestr(info, png(GREY))
    content = path.read_bytes()
    for place, name in stand.items():
        content = content.replace(place, name)
    path.write_bytes(content)
    return path


ENCODED = {
    "cp437": ["Größe/1.png", "straße/ä.png"],
    "cp866": ["кошка/1.png", "собака/2.png"],
    "cp1251": ["кошка/1.png", "собака/2.png"],
    "gb18030": ["图像/训练/1.png", "照片/2.png"],
    "cp949": ["고양이/1.png", "사진/3.png"],
    "cp932": ["写真/画像１.png", "テスト/ねこ.png"],
}


@pytest.mark.parametrize("encoding", ENCODED)
def test_names_in_other_encodings(tmp_path, encoding):
    path = zip_with(tmp_path / "a.zip", {name.encode(encoding): b"" for name in ENCODED[encoding]})
    with open_source(path) as source:
        assert sorted(source.names) == sorted(ENCODED[encoding])
        assert all(source.read(i).pixels.shape == (8, 8, 1) for i in range(len(source)))


ODD = [b"bad/\xff\xfe.png", b"x/\x81.png", b"\x80\xff\xa0/\xfd.png", b"ab\xc3/1.png"]
MANY = {
    "cp932": ["表/1.png", "ソニー/2.png", "犬/3.png", "猫/ソ1.png"],
    "gb18030": ["中文/图片.png", "狗/一.png", "猫咪/二.png"],
    "cp949": ["고양이/하나.png", "강아지/둘.png", "사진/셋.png"],
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("encoding", MANY)
def test_one_odd_name_does_not_spoil_the_others(tmp_path, encoding, odd):
    raw = [name.encode(encoding) for name in MANY[encoding]]
    with open_source(zip_with(tmp_path / "a.zip", dict.fromkeys([*raw, odd], b""))) as source:
        read = set(MANY[encoding]) & set(source.names)
        reasons = dict(source.skipped).values()
    assert read == set(MANY[encoding])
    assert len(source.names) + len(reasons) == len(raw) + 1


def test_the_packers_own_unicode_path_wins(tmp_path):
    raw, name = b"\x94L/1.png", b"Katze/1.png"
    extra = b"\x01" + struct.pack("<I", zlib.crc32(raw)) + name
    path = zip_with(tmp_path / "a.zip", {raw: struct.pack("<HH", 0x7075, len(extra)) + extra})
    with open_source(path) as source:
        assert source.names == ["Katze/1.png"] and not source.notes()


KINDS = {
    "dictionary": lambda values: pa.array(values).dictionary_encode(),
    "view": lambda values: pa.array(values, pa.binary_view() if isinstance(values[0], bytes) else pa.string_view()),
    "large": lambda values: pa.array(values, pa.large_binary() if isinstance(values[0], bytes) else pa.large_string()),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("column", "label"), [("image", "label"), ("img", "fine_label"), ("Image", "Class"), ("scan", "y")]
)
def test_columns_are_found_whatever_their_case_and_encoding(tmp_path, kind, column, label):
    images, labels = [png(GREY), png(255 - GREY)], ["cat", "dog"]
    pq.write_table(pa.table({column: KINDS[kind](images), label: KINDS[kind](labels)}), tmp_path / "a.parquet")
    with open_source(tmp_path / "a.parquet") as source:
        assert [source.read(i).label for i in range(2)] == labels
        assert np.array_equal(source.read(1).pixels[..., 0], 255 - GREY)


@pytest.fixture
def folder(tmp_path):
    for name in ("cat/1", "cat/2", "dog/3", "größe"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.png").write_bytes(png(GREY))
    return tmp_path


def listed(path, text, encoding="utf-8", key="path"):
    path.write_bytes(text.encode(encoding))
    with open_source({key: str(path)}) as source:
        return [(name, source.read(i).label) for i, name in enumerate(source.names)], source.notes()


ONE, TWO = ("cat/1.png", "a"), ("dog/3.png", "b")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sep=;\npath;label\ncat/1.png;a\ndog/3.png;b\n", []),
        ("cat/1.png,a\ndog/3.png,b\n", ["no line of column names"]),
        ("cat/1.png;a\r\ndog/3.png;b\r\n", ["no line of column names"]),
        ("id,label\ncat/1,a\ndog/3,b\n", []),
        ("image_id,fine_label\ncat/1,a\ndog/3,b\n", []),
    ],
)
def test_tables(folder, text, said):
    found, notes = listed(folder / "a.csv", text)
    assert [label for _, label in found] == ["a", "b"] and len(notes) == len(said)
    assert all(part in note for part, note in zip(said, notes, strict=True))


@pytest.mark.parametrize(("encoding", "said"), [("latin-1", 1), ("utf-16", 0), ("utf-8-sig", 0)])
def test_tables_in_other_encodings(folder, encoding, said):
    found, notes = listed(folder / "a.csv", "path,label\ngröße.png,weiß\n", encoding)
    assert found == [("größe.png", "weiß")] and len(notes) == said


def test_a_name_with_several_endings_is_left_out(folder):
    (folder / "cat" / "1.jpg").write_bytes(b"x")
    with open_source(write(folder / "a.csv", b"id\ncat/1\ndog/3\n")) as source:
        assert source.skipped == [("cat/1", "2 images of that name")] and source.names == ["dog/3"]


def test_image_lists_with_json_labels(folder):
    text = 'cat/1.png {"label": 3, "soft": [0.1, 0.9]}\ndog/3 {"label": "b c"}\ncat/2.png -1\n'
    found, _ = listed(folder / "a.txt", text, key="imglist")
    assert sorted(found) == [("cat/1.png", "3"), ("cat/2.png", ""), ("dog/3", "b c")]


@pytest.mark.parametrize(
    ("line", "cause"),
    [('cat/1.png {"label": }', "is not JSON"), ('cat/1.png {"x": 1}', "Its keys are x"), ("cat/1.png", "no label")],
)
def test_a_bad_line_is_named_with_its_cause(folder, line, cause):
    with pytest.raises(SourceError, match=f"line 2: .*{cause}"):
        listed(folder / "a.txt", f"cat/2.png 1\n{line}\n", key="imglist")
