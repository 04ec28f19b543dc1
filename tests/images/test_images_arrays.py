"""NumPy files: layouts, value ranges, keys, labels, and refusals."""

import io
import pickle
import zipfile

import numpy as np
import pytest

from cfs_explore.errors import SourceError
from cfs_explore.images import open_source, unpacking

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 6, 7, 3), np.uint8)


def save(path, array):
    np.save(path, array)
    return path


@pytest.mark.parametrize(("array", "mode"), [(IMAGES[..., 0], "L"), (IMAGES[..., :1], "L"), (IMAGES, "RGB")])
def test_layouts(tmp_path, array, mode):
    with open_source(save(tmp_path / "a.npy", array)) as source:
        record = source.read(2)
        assert (source.kind, len(source), source.names[2]) == ("array", 5, "000002")
    np.testing.assert_array_equal(record.pixels, array.reshape(5, 6, 7, -1)[2])
    assert (record.format, record.mode, record.width, record.height) == ("array", mode, 7, 6)


def test_alpha_is_laid_on_white(tmp_path):
    rgba = np.zeros((1, 2, 5, 4), np.uint8)
    rgba[0, 0, :, 3] = 255
    record = open_source(save(tmp_path / "a.npy", rgba)).read(0)
    assert record.pixels[:, 0, 0].tolist() == [0, 255]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_in_both_ranges_come_back_exactly(tmp_path, dtype):
    unit = open_source(save(tmp_path / "unit.npy", (IMAGES / 255).astype(dtype)))
    signed = open_source(save(tmp_path / "signed.npy", (IMAGES / 127.5 - 1).astype(dtype)))
    for i in range(5):
        np.testing.assert_array_equal(unit.read(i).pixels, IMAGES[i])
        np.testing.assert_array_equal(signed.read(i).pixels, IMAGES[i])


@pytest.mark.parametrize(
    "array",
    [
        IMAGES.astype(np.float32),
        IMAGES / 255 * 1.2,
        IMAGES.astype(np.int64),
        IMAGES.astype(np.uint16),
        IMAGES > 3,
    ],
)
def test_other_ranges_and_types_ask_for_uint8(tmp_path, array):
    with pytest.raises(SourceError, match="Save as uint8"):
        open_source(save(tmp_path / "a.npy", array))


@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((6, 7), r"array\[None\]"),
        ((6, 7, 3), r"array\[None\]"),
        ((5, 3, 6, 7), "transpose"),
        ((5, 6, 7, 2), "C = 1, 3 or 4"),
        ((5,), "allowed are"),
        ((5, 0, 7, 3), "allowed are"),
    ],
)
def test_other_layouts_are_refused(tmp_path, shape, hint):
    with pytest.raises(SourceError, match=hint):
        open_source(save(tmp_path / "a.npy", np.zeros(shape, np.uint8)))


def test_no_images(tmp_path):
    with pytest.raises(SourceError, match="no images in"):
        open_source(save(tmp_path / "a.npy", IMAGES[:0]))


def test_npz_keys_and_labels(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", anything=IMAGES, y=np.array(["a", "b", "c", "d", "e"]))
    with open_source(tmp_path / "a.npz") as source:
        assert source.names[4] == "anything/000004"
        assert source.read(4).label == "e"
    np.savez(tmp_path / "b.npz", x=IMAGES, mean=IMAGES[0], labels=np.arange(5))
    assert open_source(tmp_path / "b.npz").read(3).label == "3"
    np.savez(tmp_path / "c.npz", train=IMAGES, test=IMAGES)
    with pytest.raises(SourceError, match="Its keys are train, test"):
        open_source(tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", x=IMAGES, y=np.arange(4))
    with open_source(tmp_path / "d.npz") as source:
        assert len(source) == 5 and source.read(4).label == ""
        assert source.notes() == ["The labels were left out: their shape is (4,), for 5 images."]


class Bomb:
    """Unpickling this would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_pickles_are_never_loaded(tmp_path):
    target = tmp_path / "executed"
    objects = np.array([Bomb(target)] * 3, dtype=object)
    np.savez(tmp_path / "a.npz", images=objects)
    np.savez(tmp_path / "b.npz", images=IMAGES, labels=objects)
    np.save(tmp_path / "c.npy", objects)
    (tmp_path / "d.npy").write_bytes(pickle.dumps(Bomb(target)))
    for name in ("a.npz", "c.npy", "d.npy"):
        with pytest.raises(SourceError, match="Pickled objects are never loaded"):
            open_source(tmp_path / name)
    with open_source(tmp_path / "b.npz") as source:
        assert source.read(0).label == "" and "The labels were left out" in source.notes()[0]
    assert not target.exists()


def test_damaged_files_and_lying_headers(tmp_path):
    data = save(tmp_path / "a.npy", IMAGES).read_bytes()
    (tmp_path / "cut.npy").write_bytes(data[:-10])
    (tmp_path / "text.npy").write_bytes(b"hello")
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "text.npz").write_bytes(b"hello")
    lie = io.BytesIO()
    np.lib.format.write_array_header_1_0(lie, {"descr": "|u1", "fortran_order": False, "shape": (9, 9, 9)})
    with zipfile.ZipFile(tmp_path / "lie.npz", "w") as archive:
        archive.writestr("images.npy", lie.getvalue() + bytes(10))
    for name in ("cut.npy", "text.npy", "empty.npy", "text.npz", "lie.npz"):
        with pytest.raises(SourceError, match=f"{name} cannot be read as plain arrays"):
            open_source(tmp_path / name)


def test_npz_that_would_fill_the_disk(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "a.npz", images=np.zeros((40, 200, 200), np.uint8))
    open_source(tmp_path / "a.npz").close()
    monkeypatch.setattr(unpacking, "RATIO_FREE_BYTES", 2**20)
    with pytest.raises(SourceError, match="decompression bomb"):
        open_source(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", images=np.zeros((40, 200, 200), np.uint8))
    monkeypatch.setattr(unpacking, "MAX_UNPACKED_BYTES", 10**6)
    with pytest.raises(SourceError, match=r"b\.npz unpacks to more than"):
        open_source(tmp_path / "b.npz")


def test_a_header_that_is_no_python_literal(tmp_path):
    data = save(tmp_path / "a.npy", IMAGES).read_bytes()
    for damage in (b"{'descr'(", b"{b'escr':", b"{'descr)'"):
        (tmp_path / "b.npy").write_bytes(data.replace(b"{'descr':", damage))
        with pytest.raises(SourceError, match="cannot be read as plain arrays"):
            open_source(tmp_path / "b.npy")


@pytest.mark.parametrize(
    ("stored", "declared"),
    [
        ((IMAGES / 255 * 6 - 3).astype(np.float32), [-3, 3]),
        (IMAGES.astype(np.int64) * 257, [0, 65535]),
        (IMAGES.astype(np.uint16), [0, 255]),
        (IMAGES.astype(np.float64), [0, 255.0]),
    ],
)
def test_a_declared_range(tmp_path, stored, declared):
    with open_source({"path": save(tmp_path / "a.npy", stored), "range": declared}) as source:
        np.testing.assert_array_equal(source.read(3).pixels, IMAGES[3])
    np.savez(tmp_path / "a.npz", images=stored)
    with open_source({"path": tmp_path / "a.npz", "range": declared}) as source:
        np.testing.assert_array_equal(source.read(3).pixels, IMAGES[3])


def test_values_outside_the_declared_range(tmp_path):
    path = save(tmp_path / "a.npy", np.linspace(-2, 3, 50).reshape(2, 5, 5))
    for declared in ([-2, 2.5], [-1.5, 3], [-1, 1]):
        with pytest.raises(SourceError, match=r"run from -2 to 3\. The range declared is"):
            open_source({"path": path, "range": declared})
    with pytest.raises(SourceError, match="type is complex128"):
        open_source({"path": save(tmp_path / "c.npy", np.zeros((2, 5, 5), complex)), "range": [0, 1]})


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_counted(tmp_path, value):
    array = np.full((300, 2, 5), 0.5)
    array[[2, 299], 1, 1] = value
    path = save(tmp_path / "a.npy", array)
    for source in (path, {"path": path, "range": [0, 1]}):
        with pytest.raises(SourceError, match=r"a\.npy: 2 of 3,000 values are NaN or infinite\. Replace them"):
            open_source(source)


def test_the_key_of_an_npz(tmp_path):
    np.savez(tmp_path / "a.npz", train=IMAGES, test=IMAGES[::-1], y=np.arange(5))
    with open_source({"path": tmp_path / "a.npz", "key": "test"}) as source:
        np.testing.assert_array_equal(source.read(0).pixels, IMAGES[4])
        assert (source.names[0], source.read(3).label) == ("test/000000", "3")
    with pytest.raises(SourceError, match=r"no array 'val', which `key` names\. Its keys are train, test, y"):
        open_source({"path": tmp_path / "a.npz", "key": "val"})


def test_huge_images_are_refused_before_one_is_read(tmp_path):
    array = np.lib.format.open_memmap(tmp_path / "a.npy", "w+", np.uint8, (1, 20_000, 6_000, 1))
    array.flush()
    with pytest.raises(SourceError, match="6000 x 20000 pixels are more than the allowed 100 megapixels"):
        open_source(tmp_path / "a.npy")


def test_an_npz_does_not_stay_in_memory(tmp_path):
    import tracemalloc

    np.savez_compressed(tmp_path / "a.npz", images=np.zeros((500, 100, 100, 3), np.uint8))
    tracemalloc.start()
    with open_source(tmp_path / "a.npz") as source:
        assert source.read(499).width == 100
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * 2**20  # of 14 MiB


def test_whole_numbers_say_their_range(tmp_path):
    tomography = np.linspace(-1024, 3071, 60).reshape(2, 5, 6).astype(np.int16)
    with pytest.raises(SourceError, match=r"type is int16, and the values run from -1024 to 3071\. Save as uint8"):
        open_source(save(tmp_path / "a.npy", tomography))
