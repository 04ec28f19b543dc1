"""Damaged files of every kind: opening and reading them ends in images or in the project's errors, nothing else.

Each case is a valid file whose bytes are flipped, cut, repeated, spliced or overwritten with numbers that headers lie
with. No case may write a file, anywhere, or run anything.
"""

import contextlib
import io
import struct
import tarfile
import warnings
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_kinds import everything_below, tar_of
from PIL import Image
from watch import watched

from cfs_explore.errors import CFSError, ImageError
from cfs_explore.images import open_source

pytestmark = pytest.mark.slow

CODECS = {"png": "PNG", "jpg": "JPEG", "gif": "GIF", "bmp": "BMP", "tiff": "TIFF", "webp": "WEBP", "ppm": "PPM"}
#: What headers lie with: sizes and counts that overflow, are negative, or are off by one.
LIES = [0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1]


def encoded(codec: str, seed: int = 0, side: int = 12) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, codec)
    return buffer.getvalue()


def zip_bytes(method: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for i in range(3):
            archive.writestr(f"c{i % 2}/{i}.png", encoded("PNG", i))
    return buffer.getvalue()


def tar_bytes(format: int) -> bytes:
    link = tarfile.TarInfo("link.png")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    members = [(f"c{i % 2}/{'n' * 90 * i}{i}.png", encoded("PNG", i)) for i in range(3)]
    return tar_of([*members, link], format)


def zst_bytes(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


def gz_bytes(data: bytes) -> bytes:
    import gzip

    return gzip.compress(data, mtime=0)


def parquet_bytes(nested: bool, compression: str) -> bytes:
    images = [encoded("PNG", i) for i in range(5)]
    cells = [{"bytes": data, "path": f"{i}.png"} for i, data in enumerate(images)] if nested else images
    buffer = io.BytesIO()
    pq.write_table(
        pa.table({"image": cells, "label": [0, 1, -1, 0, 1]}), buffer, row_group_size=2, compression=compression
    )
    return buffer.getvalue()


def numpy_bytes(save, **arrays) -> bytes:
    buffer = io.BytesIO()
    save(buffer, **arrays)
    return buffer.getvalue()


PIXELS = np.random.default_rng(0).integers(0, 256, (3, 5, 6, 3), np.uint8)
TAR = tar_bytes(tarfile.PAX_FORMAT)
LIST = "".join(f"p{i}.png {i % 3 - 1}\n" for i in range(5))
#: Name of a valid file -> its bytes.
FILES: dict[str, bytes] = {
    **{f"a.{ending}": encoded(codec) for ending, codec in CODECS.items()},
    "stored.zip": zip_bytes(zipfile.ZIP_STORED),
    "deflated.zip": zip_bytes(zipfile.ZIP_DEFLATED),
    "pax.tar": TAR,
    "gnu.tar": tar_bytes(tarfile.GNU_FORMAT),
    "ustar.tar": tar_of(
        [("a/1.png", encoded("PNG")), ("b/2.png", encoded("PNG", 1)), ("3.png", encoded("PNG", 2))],
        tarfile.USTAR_FORMAT,
    ),
    "a.tar.gz": gz_bytes(TAR),
    "a.tar.zst": zst_bytes(TAR),
    "a.npy": numpy_bytes(lambda file, x: np.save(file, x), x=PIXELS),
    "float.npy": numpy_bytes(lambda file, x: np.save(file, x), x=(PIXELS / 255).astype(np.float32)),
    "stored.npz": numpy_bytes(np.savez, images=PIXELS, labels=np.arange(3)),
    "deflated.npz": numpy_bytes(np.savez_compressed, images=PIXELS, labels=np.array(["a", "b", "c"])),
    "nested.parquet": parquet_bytes(True, "snappy"),
    "flat.parquet": parquet_bytes(False, "none"),
    "a.csv": ("path,label\n" + LIST.replace(" ", ",")).encode(),
    "a.tsv": ('"path"\t"label"\r\n' + LIST.replace(" ", "\t")).encode(),
    "list.txt": LIST.encode(),
}


@st.composite
def damaged(draw, data: bytes, others: list[bytes]) -> bytes:
    """One to four kinds of damage in a row."""
    out = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        size = len(out)
        at = draw(st.integers(0, max(size - 1, 0)))
        kind = draw(
            st.sampled_from(("flip", "flip", "lie", "lie", "cut", "drop", "repeat", "insert", "splice", "zero"))
        )
        length = draw(st.integers(1, 64))
        if kind == "flip" and size:
            out[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "lie":
            lie = draw(st.sampled_from(LIES))
            layout = draw(st.sampled_from(["<B", "<H", ">H", "<I", ">I", "<Q", ">Q"]))
            packed = struct.pack(layout, lie % 256 ** struct.calcsize(layout))
            out[at : at + len(packed)] = packed
        elif kind == "cut":
            del out[at:]
        elif kind == "drop":
            del out[at : at + length]
        elif kind == "repeat":
            out[at:at] = out[at : at + length] * draw(st.integers(1, 8))
        elif kind == "insert":
            out[at:at] = draw(st.binary(min_size=1, max_size=16))
        elif kind == "splice":
            other = draw(st.sampled_from(others))
            out[at : at + length] = other[draw(st.integers(0, len(other))) :][: length * 4]
        else:
            out[at : at + length] = bytes(min(length, size - at))
    return bytes(out)


def reference(path, name: str) -> object:
    if name == "list.txt":
        return {"imglist": str(path)}
    return {"path": str(path), "range": [-10, 10]} if name == "float.npy" else path


def read_all(given: object) -> int:
    """Open a set and read every image; the number that could be read."""
    good = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with open_source(given) as source:
            for i in range(min(len(source), 50)):
                try:
                    record = source.read(i)
                except ImageError:
                    continue
                assert record.pixels.dtype == np.uint8 and record.name.isprintable() and record.image_id
                good += 1
    return good


@pytest.mark.parametrize("name", FILES)
def test_valid_files_are_whole(name, tmp_path):
    for i in range(5):
        (tmp_path / f"p{i}.png").write_bytes(encoded("PNG", i))
    (tmp_path / name).write_bytes(FILES[name])
    ending = name.split(".")[-1]
    lists = ending in ("parquet", "csv", "tsv", "txt")
    assert read_all(reference(tmp_path / name, name)) == (1 if ending in CODECS else 5 if lists else 3)


@pytest.mark.parametrize("name", FILES)
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_damage_is_reported_by_the_projects_errors(name, tmp_path, data):
    folder = tmp_path / "set"
    folder.mkdir(exist_ok=True)
    for i in range(5):
        (folder / f"p{i}.png").write_bytes(encoded("PNG", i))
    path = folder / name
    path.write_bytes(data.draw(damaged(FILES[name], [FILES[name], *FILES.values()])))
    before = everything_below(tmp_path)
    with watched(folder), contextlib.suppress(CFSError):
        read_all(reference(path, name))
    assert everything_below(tmp_path) == before
